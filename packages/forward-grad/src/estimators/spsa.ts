import { FrugalError, type Tree, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type DirectionOptions, Directions, directionSettings } from '../noise/directions.ts';
import { coefficients } from './combine.ts';
import { makeSeeded, type ScalarOptions, type SeededEstimator } from './seeded.ts';

/** Options of `spsa`. */
export interface SpsaOptions extends DirectionOptions, ScalarOptions {
  /** How far to go along a direction. Default 1e-3. */
  epsilon?: number;
  /** Both ways (default), which cancels the second-order term, or one way with the loss at the middle. */
  antithetic?: boolean;
}

/**
 * Zeroth-order gradients by finite differences along random directions: SPSA, MeZO (for evolution
 * strategies see `evolutionStrategy`).
 *
 *     sₖ = (f(θ + ε vₖ) − f(θ − ε vₖ)) / 2ε,  g = (1/K) Σₖ sₖ vₖ
 *
 * Needs only values of the loss, so it works for what has no derivative; 2K passes. Directions come from the key, and
 * dense ones are made while they are added where the backend can. One copy of the parameters is held at a time.
 *
 * @returns An estimator; its loss is the mean over the two sides (antithetic) or that at the parameters.
 * @throws {FrugalError} `BAD_OPTION`; when called `NOT_FLOAT`.
 * arXiv 2305.17333 (MeZO), 2511.16652 (rank one)
 */
export function spsa(options: SpsaOptions = {}): SeededEstimator {
  return makeSpsa(options, false);
}

/** `spsa`; with `standardised`, the scalars are divided by their root mean square. */
export function makeSpsa(options: SpsaOptions, standardised: boolean): SeededEstimator {
  const settings = directionSettings(options);
  const { epsilon = 1e-3, antithetic = true, clip } = options;
  if (!(epsilon > 0 && Number.isFinite(epsilon))) {
    throw new FrugalError('BAD_OPTION', `epsilon must be a positive number, got ${epsilon}.`);
  }
  return makeSeeded({
    directions: settings.directions,
    clip,
    sample: (params, key) => new Directions(params, key, settings),
    run<P extends Tree>(f: (params: P) => tf.Scalar, params: P, sampled: Directions) {
      const at = (k: number, factor: number): tf.Scalar => {
        const moved = sampled.shifted(params, k, factor);
        const value = tf.tidy(() => f(moved));
        treeDispose(moved);
        return value;
      };
      return tf.tidy(() => {
        const middle = antithetic ? undefined : tf.tidy(() => f(params));
        const losses: tf.Scalar[] = [];
        const slopes: tf.Scalar[] = [];
        for (let k = 0; k < sampled.count; k++) {
          const ahead = at(k, epsilon);
          const behind = middle ?? at(k, -epsilon);
          slopes.push(tf.div(tf.sub(ahead, behind), antithetic ? 2 * epsilon : epsilon));
          if (antithetic) losses.push(ahead, behind);
        }
        const loss = middle ?? (tf.mean(tf.stack(losses)) as tf.Scalar);
        const scalars = tf.stack(slopes) as tf.Tensor1D;
        if (!standardised) return { loss, scalars };
        const spread = tf.maximum(tf.sqrt(tf.mean(tf.square(scalars))), 1e-20);
        return { loss, scalars: tf.div(scalars, spread) as tf.Tensor1D };
      });
    },
    combine(sampled, scalars) {
      const weights = coefficients(sampled, scalars, 'mean');
      const grads = sampled.gradient(weights);
      weights.dispose();
      return grads;
    },
  });
}
