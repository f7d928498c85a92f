import * as tf from '@tensorflow/tfjs-core';
import { checkFloats, checkShape, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { differentiable, hasKernel, runKernel } from './run.ts';
import type { SoftmaxCrossEntropyInputs } from './types.ts';

/**
 * Cross-entropy of class labels, per example: −log softmax(logits)[label]. Differentiable in the logits.
 *
 * @param tensors `logits` [B, C] float32, `labels` [B] int32 in [0, C) (not checked: that would need a read).
 * @returns [B].
 * @throws {KernelArgumentError} If a shape or dtype does not fit.
 */
export function softmaxCrossEntropy({ logits, labels }: SoftmaxCrossEntropyInputs): tf.Tensor1D {
  const name = KernelName.SoftmaxCrossEntropy;
  checkFloats(name, 'logits', logits, [null, null]);
  const [batch, classes] = logits.shape as [number, number];
  checkShape(name, 'labels', labels, [batch]);
  if (labels.dtype !== 'int32') throw new KernelArgumentError(name, 'labels', `must be int32, got ${labels.dtype}.`);
  const fast = hasKernel(name);
  return differentiable(
    { logits },
    (save) => {
      if (fast) {
        const [loss, gradient] = runKernel(name, { logits, labels });
        save([gradient!]);
        return loss!;
      }
      save([logits, labels]);
      const shifted = tf.sub(logits, tf.max(logits, -1, true));
      const picked = tf.sum(tf.mul(shifted, oneHot(labels, classes)), -1);
      return tf.sub(tf.log(tf.sum(tf.exp(shifted), -1)), picked);
    },
    (dy, saved) => ({
      logits: () => {
        const [first, labels] = saved;
        const gradient = fast ? first! : tf.sub(tf.softmax(first!), oneHot(labels!, classes));
        return tf.mul(gradient, tf.reshape(dy, [batch, 1]));
      },
    }),
  ) as tf.Tensor1D;
}

/** tf.oneHot refuses a single class, and on stock wasm it is wrong in float32. */
function oneHot(labels: tf.Tensor, classes: number): tf.Tensor {
  if (classes === 1) return tf.ones([labels.size, 1]);
  return tf.cast(tf.oneHot(labels as tf.Tensor1D, classes), 'float32');
}
