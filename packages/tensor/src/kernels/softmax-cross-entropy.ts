import * as tf from '@tensorflow/tfjs-core';
import { checkFloats, checkShape, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { differentiable, hasKernel, isRecording, runKernel } from './run.ts';
import type { SoftmaxCrossEntropyInputs } from './types.ts';

const name = KernelName.SoftmaxCrossEntropy;

/**
 * Cross-entropy of class labels, per example: −log softmax(logits)[label]. Differentiable in the logits.
 *
 * @param tensors `logits` [B, C] float32, `labels` [B] int32 in [0, C) (not checked: that would need a read).
 * @returns [B].
 * @throws {KernelArgumentError} If a shape or dtype does not fit.
 */
export function softmaxCrossEntropy({ logits, labels }: SoftmaxCrossEntropyInputs): tf.Tensor1D {
  const [batch, classes] = check(logits, labels);
  const recording = isRecording();
  return differentiable(
    { logits },
    (save) => {
      const [loss, gradient] = hasKernel(name)
        ? runKernel(name, { logits, labels })
        : composed(logits, labels, classes, recording);
      if (recording) save([gradient!]);
      return loss!;
    },
    (dy, [gradient]) => ({ logits: () => tf.mul(gradient!, tf.reshape(dy, [batch, 1])) }),
  ) as tf.Tensor1D;
}

/**
 * The gradient of `softmaxCrossEntropy` with respect to the logits in closed form, per example: softmax(logits) − onehot.
 *
 * @param tensors As for `softmaxCrossEntropy`.
 * @returns [B, C].
 * @throws {KernelArgumentError} If a shape or dtype does not fit.
 */
export function softmaxCrossEntropySlope({ logits, labels }: SoftmaxCrossEntropyInputs): tf.Tensor2D {
  const [, classes] = check(logits, labels);
  return tf.tidy(() => {
    if (!isRecording() && hasKernel(name)) return runKernel(name, { logits, labels })[1]!;
    return tf.sub(tf.softmax(logits as tf.Tensor2D), oneHot(labels, classes));
  }) as tf.Tensor2D;
}

/** The batch and the classes of arguments that fit. */
function check(logits: tf.Tensor, labels: tf.Tensor): [batch: number, classes: number] {
  checkFloats(name, 'logits', logits, [null, null]);
  const [batch, classes] = logits.shape as [number, number];
  checkShape(name, 'labels', labels, [batch]);
  if (labels.dtype !== 'int32') throw new KernelArgumentError(name, 'labels', `must be int32, got ${labels.dtype}.`);
  return [batch, classes];
}

/** The loss and, where it is wanted, softmax − onehot. */
function composed(logits: tf.Tensor, labels: tf.Tensor, classes: number, wanted: boolean): tf.Tensor[] {
  const shifted = tf.sub(logits, tf.max(logits, -1, true));
  const exponentials = tf.exp(shifted);
  const total = tf.sum(exponentials, -1, true);
  const target = oneHot(labels, classes);
  const loss = tf.sub(tf.log(tf.squeeze(total, [1])), tf.sum(tf.mul(shifted, target), -1));
  return wanted ? [loss, tf.sub(tf.div(exponentials, total), target)] : [loss];
}

/** tf.oneHot refuses a single class, and on stock wasm it is wrong in float32. */
function oneHot(labels: tf.Tensor, classes: number): tf.Tensor {
  if (classes === 1) return tf.ones([labels.size, 1]);
  return tf.cast(tf.oneHot(labels as tf.Tensor1D, classes), 'float32');
}
