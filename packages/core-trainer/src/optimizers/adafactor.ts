import type { GradientTransformation } from '@frugal/tensor';
import type { Rate } from '../schedules/index.ts';
import { ema } from '../transforms/average.ts';
import { type ChainState, chain } from '../transforms/chain.ts';
import { clipByBlockRms } from '../transforms/clip.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { type FactoredRmsOptions, scaleByFactoredRms, scaleByParameterRms } from '../transforms/factored.ts';
import { identity, scale, scaleByLearningRate } from '../transforms/scale.ts';

/** Options of `adafactor`. */
export interface AdafactorOptions extends FactoredRmsOptions, DecayOptions {
  /** An update's root mean square is at most this; `false` turns it off. Default 1. */
  clip?: number | false;
  /** Steps relative to the root mean square of each parameter. Default true. */
  relative?: boolean;
  /** Decay of a first moment; 0 keeps none. Default 0. */
  beta1?: number;
  /** Weight decay a step, not times the learning rate. Default 0. */
  weightDecay?: number;
}

/**
 * Adafactor (arXiv 1804.04235): Adam's second moment in the memory of its rows and columns.
 *
 * @param learningRate - With `relative` a share of each parameter's size: 1e-3 to 1e-2 is usual.
 */
export function adafactor(learningRate: Rate, options: AdafactorOptions = {}): GradientTransformation<ChainState> {
  const { clip = 1, relative = true, beta1 = 0, weightDecay = 0 } = options;
  return chain(
    scaleByFactoredRms(options),
    clip === false ? identity() : clipByBlockRms(clip),
    scaleByLearningRate(learningRate),
    relative ? scaleByParameterRms() : identity(),
    beta1 === 0 ? identity() : ema(beta1, { debias: false }),
    // The updates point down already, so the decay does too.
    chain(scale(-1), addDecayedWeights(weightDecay, options), scale(-1)),
  );
}
