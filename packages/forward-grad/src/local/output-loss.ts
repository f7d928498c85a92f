import { softmaxCrossEntropy, softmaxCrossEntropySlope } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** A loss at the end of a network or a head, with its slope in closed form: no reverse mode is needed for it. */
export interface OutputLoss {
  /** One loss per example, [B], of outputs [B, C]. Must have a JVP, which `guided` uses. */
  value(outputs: tf.Tensor2D, targets: tf.Tensor): tf.Tensor1D;
  /** ∂loss/∂outputs per example, [B, C]. */
  slope(outputs: tf.Tensor2D, targets: tf.Tensor): tf.Tensor2D;
}

/** Softmax cross-entropy of class labels, int32 [B]. */
export const crossEntropyLoss: OutputLoss = {
  value: (logits, labels) => softmaxCrossEntropy({ logits, labels }),
  slope: (logits, labels) => softmaxCrossEntropySlope({ logits, labels }),
};

/** Σ (output − target)² ÷ 2 per example, targets [B, C]. */
export const squaredErrorLoss: OutputLoss = {
  value: (outputs, targets) =>
    tf.tidy(() => tf.mul(0.5, tf.sum(tf.square(tf.sub(outputs, targets)), 1))) as tf.Tensor1D,
  slope: (outputs, targets) => tf.sub(outputs, targets) as tf.Tensor2D,
};
