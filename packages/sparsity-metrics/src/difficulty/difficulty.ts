import { type DynamicRun, FrugalError, ranks } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';

/** What each example cost or lost, larger is harder: FLOPs of a `DynamicRun`, a loss, a negative margin. */
export type Scores = ArrayLike<number>;

/** The costs of consecutive batches as one list of scores. */
export function costsOf(runs: Iterable<Pick<DynamicRun, 'cost'>>): number[] {
  return [...runs].flatMap(({ cost }) => cost);
}

/**
 * How far the right class is from leading, by example: the largest other logit less its own. Below 0 where the answer is right; larger is harder.
 *
 * @param logits [B, classes], at least 2 classes.
 * @param labels [B], integers.
 * @throws {FrugalError} `BAD_ARGUMENT` for other shapes, or a label that is no class.
 */
export async function marginsOf(logits: Tensor, labels: Tensor): Promise<Float32Array> {
  const [examples, classes] = logits.shape as [number, number];
  if (logits.rank !== 2 || classes < 2 || labels.shape.join() !== String(examples)) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `marginsOf takes logits [B, classes] and labels [B], got [${logits.shape}] and [${labels.shape}].`,
    );
  }
  const [z, own] = await Promise.all([logits.data(), labels.data()]);
  return Float32Array.from({ length: examples }, (_, i) => {
    const row = z.slice(i * classes, (i + 1) * classes);
    const label = own[i]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new FrugalError('BAD_ARGUMENT', `marginsOf: labels[${i}] is ${label}; there are ${classes} classes.`);
    }
    return Math.max(...Array.from(row).filter((_, c) => c !== label)) - row[label]!;
  });
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
