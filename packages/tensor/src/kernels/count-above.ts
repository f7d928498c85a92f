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
 * How many magnitudes are above a threshold, by row and by column, in one pass; the last axis are the columns. NaN counts.
 *
 * @param x […, C], float32, with R = size / C rows.
 * @returns Two int32 tensors, [R] and [C]; the caller owns them. Nothing is differentiable.
 * @throws {KernelArgumentError} If `x` is a scalar or not float32, or the threshold is negative.
 */
export function countAbove(x: tf.Tensor, { threshold = 0 }: CountAboveOptions = {}): [tf.Tensor1D, tf.Tensor1D] {
  const name = KernelName.CountAbove;
  checkFloats(name, 'x', x);
  if (x.rank === 0) throw new KernelArgumentError(name, 'x', 'must have columns, got a scalar.');
  if (!(threshold >= 0)) throw new KernelArgumentError(name, 'threshold', `must be at least 0, got ${threshold}.`);
  if (hasKernel(name)) return runKernel(name, { x }, { threshold }) as [tf.Tensor1D, tf.Tensor1D];
  return tf.tidy(() => {
    const matrix = tf.reshape(x, [-1, x.shape.at(-1)!]);
    const above = tf.cast(tf.logicalNot(tf.lessEqual(tf.abs(matrix), threshold)), 'int32');
    return [tf.sum(above, 1), tf.sum(above, 0)];
  });
}
