import { type DynamicRun, FrugalError, ranks } from '@frugal/tensor';

/** What each example cost or lost, larger is harder: FLOPs of a `DynamicRun`, a loss, a negative margin. */
export type Scores = ArrayLike<number>;

/** The costs of consecutive batches as one list of scores. */
export function costsOf(runs: Iterable<Pick<DynamicRun, 'cost'>>): number[] {
  return [...runs].flatMap(({ cost }) => cost);
}

/**
 * How hard each example is: its mean rank over the runs of a method, from 0 (easiest) to 1 (hardest).
 *
 * Ranks make scores of any unit comparable, and single runs are noisy: take several seeds (arXiv 2401.01867).
 *
 * @param runs One list of scores per run, over the same examples in the same order; at least 2 examples.
 * @throws {FrugalError} `BAD_ARGUMENT` if lengths differ, there is no run, or a score is NaN.
 */
export function difficulty(runs: readonly Scores[]): Float64Array {
  const examples = checkScores(runs);
  const mean = new Float64Array(examples);
  for (const scores of runs) {
    const ranked = ranks(scores);
    for (let i = 0; i < examples; i++) mean[i]! += (ranked[i]! - 1) / ((examples - 1) * runs.length);
  }
  return mean;
}

/** Refuses runs over different examples; returns how many there are. */
export function checkScores(runs: readonly Scores[]): number {
  const examples = runs[0]?.length ?? 0;
  if (examples < 2)
    throw new FrugalError('BAD_ARGUMENT', `scores must be of at least one run and 2 examples, got ${examples}.`);
  for (const [i, scores] of runs.entries()) {
    if (scores.length === examples) continue;
    throw new FrugalError(
      'BAD_ARGUMENT',
      `run ${i} has ${scores.length} scores, the first ${examples}. Score the same examples.`,
    );
  }
  return examples;
}
