import { type GradientTransformation, lionStep, treeLeaves, treeUnflatten } from '@frugal/tensor';
import type { Rate } from '../schedules/index.ts';
import { type ChainState, chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { type ScaleByLionOptions, scaleByLion, type TraceState } from '../transforms/moments.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';
import { withStepKernel } from './fused.ts';

/** Options of `lion`. */
export interface LionOptions extends ScaleByLionOptions, DecayOptions {
  /** Decoupled weight decay, times the learning rate. Default 0. */
  weightDecay?: number;
}

/**
 * Lion (arXiv 2302.06675): p ← p − learningRate · (sign(β₁·m + (1 − β₁)·g) + weightDecay · p).
 *
 * Every number moves by learningRate, so that wants to be 3–10 times smaller than Adam's, and the decay as much larger.
 */
export function lion(learningRate: Rate, options: LionOptions = {}): GradientTransformation<ChainState> {
  const { beta1 = 0.9, beta2 = 0.99, weightDecay = 0, mask } = options;
  const composed = chain(
    scaleByLion({ beta1, beta2 }),
    addDecayedWeights(weightDecay, options),
    scaleByLearningRate(learningRate),
  );
  return withStepKernel(composed, { learningRate, weightDecay, mask }, ({ params, grads, options: numbers }, state) => {
    const { m } = state[0] as TraceState;
    const next = lionStep({ params, grads, m: treeLeaves(m) }, { ...numbers, beta1, beta2 });
    return [next.params, [{ m: treeUnflatten(m, next.m) }, {}, {}]];
  });
}
