import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** How wrong an output is: one value per example. */
export type Loss = (output: tf.Tensor, target: tf.Tensor) => tf.Tensor1D;

/** The mean over all axes but the first: [B, …] → [B]. */
export function meanPerExample(values: tf.Tensor): tf.Tensor1D {
  if (values.rank === 1) return values as tf.Tensor1D;
  return tf.mean(tf.reshape(values, [values.shape[0]!, -1]), 1);
}

/**
 * Checks that output and target have the same shape, of rank 1 and more: broadcasting would hide a mistake, and its
 * gradient is wrong in tfjs for several operations.
 *
 * @throws {FrugalError} `SHAPE_MISMATCH`, naming the loss and both shapes.
 */
export function checkSameShape(loss: string, output: tf.Tensor, target: tf.Tensor): void {
  if (output.rank >= 1 && tf.util.arraysEqual(output.shape, target.shape)) return;
  throw new FrugalError(
    'SHAPE_MISMATCH',
    `${loss}: output [${output.shape}] and target [${target.shape}] must have the same shape, the first axis being ` +
      'the batch. Reshape one of them.',
  );
}
