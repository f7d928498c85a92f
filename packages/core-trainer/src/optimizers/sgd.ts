import type { GradientTransformation } from '@frugal/tensor';
import { checkNumber } from '../arguments.ts';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { type ChainState, chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { trace } from '../transforms/moments.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';

/** Options of `sgd`. */
export interface SgdOptions extends DecayOptions {
  /** Added to the gradient as weightDecay · p (L2). Default 0. */
  weightDecay?: number;
}

/** Gradient descent: p ← p − learningRate · (g + weightDecay · p). */
export function sgd(learningRate: Rate, options: SgdOptions = {}): GradientTransformation<ChainState> {
  const { weightDecay = 0 } = options;
  if (weightDecay === 0) return chain(scaleByLearningRate(learningRate));
  return chain(addDecayedWeights(weightDecay, options), scaleByLearningRate(learningRate));
}

/** Options of `momentum` and `nesterov`. */
export interface MomentumOptions extends SgdOptions {
  /** How much of the velocity is kept, in [0, 1). Default 0.9. */
  beta?: number;
}

/** The heavy ball: m ← beta · m + g + weightDecay · p; p ← p − learningRate · m. */
export function momentum(learningRate: Rate, options: MomentumOptions = {}): GradientTransformation<ChainState> {
  return withTrace(learningRate, options, false);
}

/** Nesterov's momentum: m ← beta · m + d with d = g + weightDecay · p; p ← p − learningRate · (d + beta · m). */
export function nesterov(learningRate: Rate, options: MomentumOptions = {}): GradientTransformation<ChainState> {
  return withTrace(learningRate, options, true);
}
