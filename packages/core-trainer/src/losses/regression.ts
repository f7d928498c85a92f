import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { checkSameShape, meanPerExample } from './reduce.ts';

/**
 * (output − target)², per example the mean over all outputs.
 *
 * @param output - [B, …].
 * @param target - Same shape.
 * @returns [B].
 * @throws {FrugalError} `SHAPE_MISMATCH`.
 */
export function squaredError(output: tf.Tensor, target: tf.Tensor): tf.Tensor1D {
  checkSameShape('squaredError', output, target);
  return tf.tidy(() => meanPerExample(tf.square(tf.sub(output, target)))) as tf.Tensor1D;
}

/** |output − target|, per example the mean over all outputs; arguments as in `squaredError`. */
export function absoluteError(output: tf.Tensor, target: tf.Tensor): tf.Tensor1D {
  checkSameShape('absoluteError', output, target);
  return tf.tidy(() => meanPerExample(tf.abs(tf.sub(output, target)))) as tf.Tensor1D;
}

/** Options of `huber`. */
export interface HuberOptions {
  /** Where the parabola becomes a line, in units of the target. Default 1. */
  delta?: number;
}

/** d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), with d = output − target; arguments as in `squaredError`. */
export function huber(output: tf.Tensor, target: tf.Tensor, { delta = 1 }: HuberOptions = {}): tf.Tensor1D {
  checkNumber('delta', delta, { min: 0, max: Number.MAX_VALUE, exclusive: true });
  checkSameShape('huber', output, target);
  return tf.tidy(() => {
    const distance = tf.abs(tf.sub(output, target));
    const near = tf.clipByValue(distance, 0, delta);
    return meanPerExample(tf.add(tf.mul(tf.square(near), 0.5), tf.mul(tf.sub(distance, near), delta)));
  }) as tf.Tensor1D;
}
