import type { GradientTransformation } from '@frugal/tensor';
import type { Rate } from '../schedules/index.ts';
import { type ChainState, chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { type ScaleByLionOptions, scaleByLion } from '../transforms/moments.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';

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
  return chain(
    scaleByLion(options),
    addDecayedWeights(options.weightDecay ?? 0, options),
    scaleByLearningRate(learningRate),
  );
}
