import { FrugalError } from '@frugal/tensor';
import type { DispatchPlan } from './plan.ts';

/** How a router spread its tokens. */
export interface RoutingMetrics {
  /** Pairs computed by each expert [experts]. */
  readonly tokensPerExpert: readonly number[];
  /** Chosen pairs that did not fit ÷ chosen pairs. */
  readonly dropRate: number;
  /** Tokens that no expert computed ÷ tokens. */
  readonly uncoveredRate: number;
  /** Deviation ÷ mean of the pairs by expert: 0 where even, √(N − 1) where one has everything. */
  readonly loadVariation: number;
  /** Largest ÷ mean of the pairs by expert. */
  readonly loadMaxOverMean: number;
  /** Experts that computed nothing. */
  readonly deadExperts: readonly number[];
  /** Pairs ÷ tokens. */
  readonly expertsPerToken: number;
  /** Mean of FLOPs per token, where the costs were given. */
  readonly flopsPerToken?: number;
}

/**
 * Metrics over any number of batches of the same layer: a dead expert is one that computed nothing in all of them.
 *
 * @param plans At least one.
 * @param cost FLOPs per token of all batches, e.g. of `MoeLayer.cost`.
 * @throws {FrugalError} `INVALID_ARGUMENT` if there is no plan, or they differ in the number of experts.
 */
export function routingMetrics(plans: readonly DispatchPlan[], cost?: readonly number[]): RoutingMetrics {
  const experts = plans[0]?.experts;
  if (experts === undefined || plans.some((plan) => plan.experts !== experts)) {
    const got = plans.map((plan) => plan.experts).join(', ') || 'none';
    throw new FrugalError(
      'INVALID_ARGUMENT',
      `routingMetrics needs plans of one layer, got plans for these numbers of experts: ${got}.`,
    );
  }
  const load = new Array<number>(experts).fill(0);
  let [tokens, covered, chosen, pairs] = [0, 0, 0, 0];
  for (const plan of plans) {
    for (const slot of plan.slots) load[slot % experts]!++;
    tokens += plan.tokens;
    covered += new Set(plan.rows).size;
    chosen += plan.chosen.length;
    pairs += plan.rows.length;
  }
  const mean = pairs / experts;
  const variance = load.reduce((sum, count) => sum + (count - mean) ** 2, 0) / experts;
  return {
    tokensPerExpert: load,
    dropRate: chosen === 0 ? 0 : 1 - pairs / chosen,
    uncoveredRate: tokens === 0 ? 0 : 1 - covered / tokens,
    loadVariation: mean === 0 ? 0 : Math.sqrt(variance) / mean,
    loadMaxOverMean: mean === 0 ? 0 : Math.max(...load) / mean,
    deadExperts: load.flatMap((count, e) => (count === 0 ? [e] : [])),
    expertsPerToken: tokens === 0 ? 0 : pairs / tokens,
    ...(cost !== undefined && {
      flopsPerToken: cost.reduce((sum, flops) => sum + flops, 0) / Math.max(1, cost.length),
    }),
  };
}

/**
 * Mean entropy of the softmax of each row of logits, in nats: ln N where the router is undecided, 0 where it is sure.
 *
 * @param logits [tokens, experts] on the host.
 */
export function routerEntropy(logits: Float32Array, experts: number): number {
  let total = 0;
  for (let row = 0; row < logits.length; row += experts) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let e = 0; e < experts; e++) largest = Math.max(largest, logits[row + e]!);
    let [sum, weighted] = [0, 0];
    for (let e = 0; e < experts; e++) {
      const shifted = logits[row + e]! - largest;
      sum += Math.exp(shifted);
      weighted += shifted * Math.exp(shifted);
    }
    total += Math.log(sum) - weighted / sum;
  }
  return total / Math.max(1, logits.length / experts);
}
