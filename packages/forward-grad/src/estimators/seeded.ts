import {
  type Context,
  type Estimate,
  FrugalError,
  type GradientEstimator,
  type Key,
  type LossFunction,
  type Tree,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** What was measured along the directions of a key. */
export interface Measurement {
  /** The mean loss. */
  loss: tf.Scalar;
  /** A number per direction, [K]. */
  scalars: tf.Tensor1D;
}

/**
 * A gradient estimator whose gradient is a function of a key and a few numbers.
 *
 * Hence a step is data of a few bytes (`StepLog`): whoever has the parameters re-creates it.
 */
export interface SeededEstimator extends GradientEstimator {
  /** Numbers per step, K. */
  readonly directions: number;
  /** Runs the loss along the directions of `key`. The caller owns what it returns. */
  measure<P extends Tree, B>(
    loss: LossFunction<P, B>,
    params: P,
    batch: B,
    key: Key,
    ctx?: Omit<Context, 'key'>,
  ): Measurement;
  /**
   * The gradient that belongs to a key and its scalars [K]; reads shapes of `params` only. The caller owns it.
   *
   * @throws {FrugalError} `BAD_ARGUMENT` if there are not K scalars.
   */
  rebuild(params: Tree, key: Key, scalars: tf.Tensor1D): UpdateTree;
}

/** Options of all estimators that measure along directions. */
export interface ScalarOptions {
  /** Limits each scalar to [−clip, clip] before it is used and logged. Default: no limit. */
  clip?: number;
}

/** The two halves of a seeded estimator, which share what they sampled. */
export interface SeededParts<D extends { dispose(): void }> {
  readonly directions: number;
  readonly clip: number | undefined;
  sample(params: Tree, key: Key): D;
  run<P extends Tree>(f: (params: P) => tf.Scalar, params: P, sampled: D): Measurement;
  combine(sampled: D, scalars: tf.Tensor1D): UpdateTree;
}

/** An estimator from its parts. */
export function makeSeeded<D extends { dispose(): void }>(parts: SeededParts<D>): SeededEstimator {
  const { directions, clip } = parts;
  if (clip !== undefined && !(clip > 0)) {
    throw new FrugalError('BAD_OPTION', `clip must be a positive number, got ${clip}.`);
  }

  function measured<P extends Tree, B>(
    sampled: D,
    ...[loss, params, batch, key, ctx = { train: true }]: Parameters<GradientEstimator>
  ): Measurement {
    const f = (p: P): tf.Scalar => tf.mean((loss as LossFunction<P, B>)(p, batch as B, { ...ctx, key }));
    const { loss: value, scalars } = parts.run(f as (p: Tree) => tf.Scalar, params, sampled);
    if (clip === undefined) return { loss: value, scalars };
    const clipped = tf.clipByValue(scalars, -clip, clip);
    scalars.dispose();
    return { loss: value, scalars: clipped };
  }

  const estimate = (...args: Parameters<GradientEstimator>): Estimate => {
    const [, params, , key] = args;
    const sampled = parts.sample(params, key);
    try {
      const { loss, scalars } = measured(sampled, ...args);
      const grads = parts.combine(sampled, scalars);
      scalars.dispose();
      return { loss, grads };
    } finally {
      sampled.dispose();
    }
  };

  return Object.assign(estimate as GradientEstimator, {
    directions,
    measure: ((...args: Parameters<GradientEstimator>) => {
      const sampled = parts.sample(args[1], args[3]);
      try {
        return measured(sampled, ...args);
      } finally {
        sampled.dispose();
      }
    }) as SeededEstimator['measure'],
    rebuild(params: Tree, key: Key, scalars: tf.Tensor1D): UpdateTree {
      if (scalars.rank !== 1 || scalars.size !== directions) {
        throw new FrugalError(
          'BAD_ARGUMENT',
          `scalars must have the shape [${directions}] (the directions of this estimator), got [${scalars.shape}].`,
        );
      }
      const sampled = parts.sample(params, key);
      try {
        return parts.combine(sampled, scalars);
      } finally {
        sampled.dispose();
      }
    },
  });
}
