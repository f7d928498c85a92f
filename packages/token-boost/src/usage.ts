import { FrugalError, type Plans } from '@frugal/tensor';
import type { BoostPlan } from './plan.ts';

function some(plans: Plans<BoostPlan>): [string, BoostPlan][] {
  const all = [...plans];
  if (all.length > 0) return all;
  throw new FrugalError('INVALID_ARGUMENT', 'There are no plans. Pass those of a run with boosted layers.');
}

/**
 * The share of the learners that each token got, mean over the layers: what a compute map shows.
 *
 * @param plans Of a run, all for the same tokens.
 * @returns [tokens], in [0, 1]; tokens of one example lie together.
 * @throws {FrugalError} `INVALID_ARGUMENT` without plans, or where they differ in the number of tokens.
 */
export function computeShares(plans: Plans<BoostPlan>): Float64Array {
  const all = some(plans);
  const { tokens } = all[0]![1];
  const shares = new Float64Array(tokens);
  for (const [path, plan] of all) {
    if (plan.tokens !== tokens) {
      throw new FrugalError(
        'INVALID_ARGUMENT',
        `The plan of '${path}' is for ${plan.tokens} tokens, the first for ${tokens}.`,
      );
    }
    for (let t = 0; t < tokens; t++) shares[t]! += plan.counts[t]! / plan.learners / all.length;
  }
  return shares;
}

/** How the learners of one layer are used. */
export interface LayerUsage {
  readonly path: string;
  /** Tokens that got k learners, by k [learners + 1]. */
  readonly histogram: readonly number[];
  readonly meanLearners: number;
  /** Share of the tokens with the commonest number: 1 where the gate has collapsed. */
  readonly commonest: number;
  /** Deviation of the examples' mean number of learners. */
  readonly overExamples: number;
  /** Mean over the examples of the deviation among their tokens. */
  readonly overTokens: number;
}

const deviation = (values: readonly number[]): number => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
};

/**
 * Who got how many learners, layer by layer, over any number of batches.
 *
 * @param batches The plans of each batch.
 * @param examples Examples in each batch.
 */
export function layerUsage(batches: readonly Plans<BoostPlan>[], examples: number): LayerUsage[] {
  const paths = some(batches[0] ?? new Map()).map(([path]) => path);
  return paths.map((path) => {
    const plans = batches.map((plans) => plans.get(path)!);
    const histogram = new Array<number>(plans[0]!.learners + 1).fill(0);
    const means: number[] = [];
    let within = 0;
    for (const { counts, tokens } of plans) {
      for (const k of counts) histogram[k]!++;
      const each = tokens / examples;
      for (let from = 0; from < tokens; from += each) {
        const own = Array.from(counts.subarray(from, from + each));
        means.push(own.reduce((a, b) => a + b, 0) / each);
        within += deviation(own);
      }
    }
    const total = histogram.reduce((a, b) => a + b, 0);
    return {
      path,
      histogram,
      meanLearners: histogram.reduce((sum, count, k) => sum + k * count, 0) / total,
      commonest: Math.max(...histogram) / total,
      overExamples: deviation(means),
      overTokens: within / means.length,
    };
  });
}
