import * as tf from '@tensorflow/tfjs-core';
import { checkFloats, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { hasKernel, runKernel } from './run.ts';

/** Options of `countAbove`. */
export interface CountAboveOptions {
  /** At least 0. Default 0: what is not zero counts. */
  readonly threshold?: number;
}

/**
 * How many magnitudes of a matrix are above a threshold, by row and by column, in one pass. NaN counts.
 *
 * @param x [R, C], float32.
 * @returns Two int32 tensors, [R] and [C]; the caller owns them. Nothing is differentiable.
 * @throws {KernelArgumentError} If `x` is no float32 matrix or the threshold is negative.
 */
export function countAbove(x: tf.Tensor, { threshold = 0 }: CountAboveOptions = {}): [tf.Tensor1D, tf.Tensor1D] {
  const name = KernelName.CountAbove;
  checkFloats(name, 'x', x, [null, null]);
  if (!(threshold >= 0)) throw new KernelArgumentError(name, 'threshold', `must be at least 0, got ${threshold}.`);
  if (hasKernel(name)) return runKernel(name, { x }, { threshold }) as [tf.Tensor1D, tf.Tensor1D];
  return tf.tidy(() => {
    const above = tf.cast(tf.logicalNot(tf.lessEqual(tf.abs(x), threshold)), 'int32');
    return [tf.sum(above, 1), tf.sum(above, 0)];
  });
}
