import type { GradientTransformation } from '@frugal/tensor';
import type { Rate } from '../schedules/index.ts';
import { type ChainState, chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { trace } from '../transforms/moments.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';

/** Options of `sgd`. */
export interface SgdOptions extends DecayOptions {
  /** Adds weightDecay · p to the gradient (L2). Default 0. */
  weightDecay?: number;
}

/** Gradient descent: p ← p − learningRate · (g + weightDecay · p). */
export function sgd(learningRate: Rate, options: SgdOptions = {}): GradientTransformation<ChainState> {
  return chain(addDecayedWeights(options.weightDecay ?? 0, options), scaleByLearningRate(learningRate));
}

/** Options of `momentum` and `nesterov`. */
export interface MomentumOptions extends SgdOptions {
  /** How much of the velocity is kept, in [0, 1). Default 0.9. */
  beta?: number;
}

function withTrace(learningRate: Rate, options: MomentumOptions, ahead: boolean): GradientTransformation<ChainState> {
  const { beta = 0.9, weightDecay = 0 } = options;
  return chain(
    addDecayedWeights(weightDecay, options),
    trace({ beta, nesterov: ahead }),
    scaleByLearningRate(learningRate),
  );
}

/** The heavy ball: d = g + weightDecay · p; m ← beta · m + d; p ← p − learningRate · m. */
export function momentum(learningRate: Rate, options: MomentumOptions = {}): GradientTransformation<ChainState> {
  return withTrace(learningRate, options, false);
}

/** Nesterov's momentum: d = g + weightDecay · p; m ← beta · m + d; p ← p − learningRate · (d + beta · m). */
export function nesterov(learningRate: Rate, options: MomentumOptions = {}): GradientTransformation<ChainState> {
  return withTrace(learningRate, options, true);
}
