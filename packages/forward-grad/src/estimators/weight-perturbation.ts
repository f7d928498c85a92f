import { jvp, jvpMany, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type DirectionOptions, Directions, directionSettings } from '../noise/directions.ts';
import { type Combination, checkCombination, coefficients } from './combine.ts';
import { makeSeeded, type ScalarOptions, type SeededEstimator } from './seeded.ts';

/** Options of `weightPerturbation`. */
export interface WeightPerturbationOptions extends DirectionOptions, ScalarOptions {
  /** Default `'mean'`. */
  combine?: Combination;
  /**
   * Directions of normal numbers are scaled to the length √d, which signs have anyway: still no bias, and the second moment
   * of signs. Default false.
   */
  normalize?: boolean;
}

/**
 * Forward gradients: the derivative along random directions of the parameters, times the directions.
 *
 *     g = (1/K) Σₖ (∇f · vₖ) vₖ,  E[g] = ∇f
 *
 * One forward-mode pass, no backward pass, memory constant in depth. The variance grows with the number of parameters d:
 * E‖g‖² = ((d + K − 1)/K) ‖∇f‖² for signs, one more in the numerator's d for normal numbers; the cosine to ∇f is about
 * 1/√(1 + d/K). Give it a small model, many directions, or use `localLearning`. −v gives what v gives: there is nothing
 * to gain from antithetic pairs here.
 *
 * @returns An estimator for `train({ estimator })` or a loop of your own; its gradients of weights are structured leaves.
 * @throws {FrugalError} `BAD_OPTION`; when called `NOT_FLOAT`, or what `jvp` throws.
 * arXiv 2202.08587; rank one: 2511.16652; projection: 2410.17764
 */
export function weightPerturbation(options: WeightPerturbationOptions = {}): SeededEstimator {
  const settings = directionSettings(options);
  const { combine = 'mean', normalize = false, clip } = options;
  checkCombination(combine);
  return makeSeeded({
    directions: settings.directions,
    clip,
    sample: (params, key) => new Directions(params, key, settings),
    run<P extends Tree>(f: (params: P) => tf.Scalar, params: P, sampled: Directions) {
      const along = sampled.count === 1 ? jvp : jvpMany;
      const [loss, slopes] = along((p: P) => f(p), [params], [sampled.tangents]);
      const scalars = tf.reshape(slopes, [sampled.count]);
      slopes.dispose();
      return { loss, scalars: scalars as tf.Tensor1D };
    },
    combine(sampled, scalars) {
      const weights = coefficients(sampled, scalars, combine, normalize && settings.noise === 'normal');
      const grads = sampled.gradient(weights);
      weights.dispose();
      return grads;
    },
  });
}
