import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { checkSameShape, meanPerExample } from './reduce.ts';

/** Options of `distillationLoss`. */
export interface DistillationLossOptions {
  /** Softens both distributions; > 0. Default 2. */
  temperature?: number;
}

/**
 * T² · KL(softmax(teacher / T) ‖ softmax(student / T)) per example (arXiv 1503.02531); T² keeps the gradient's size.
 *
 * @param student - Logits [B, …, C].
 * @param teacher - Logits of the same shape; no gradient flows to them.
 * @returns `[B]`, means over the inner axes.
 * @throws {FrugalError} `SHAPE_MISMATCH`, `INVALID_ARGUMENT`.
 */
export function distillationLoss(
  student: tf.Tensor,
  teacher: tf.Tensor,
  { temperature = 2 }: DistillationLossOptions = {},
): tf.Tensor1D {
  checkNumber('temperature', temperature, { min: 0, max: Number.MAX_VALUE, exclusive: true });
  checkSameShape('distillationLoss', student, teacher);
  return tf.tidy(() => {
    const wanted = tf.logSoftmax(tf.div(teacher, temperature));
    const got = tf.logSoftmax(tf.div(student, temperature));
    const divergence = tf.sum(tf.mul(tf.exp(wanted), tf.sub(wanted, got)), -1);
    return tf.mul(meanPerExample(divergence), temperature * temperature);
  }) as tf.Tensor1D;
}
