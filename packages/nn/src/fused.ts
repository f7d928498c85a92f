import { isTapeOpen } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

// tfjs's fused operations are one kernel, but going back they compute the gradient of every input, wanted or not (that
// of the first layer's images, a third of the backward pass of a small net), and refuse dilations. So they are used
// only where no gradient is recorded.

/** a · b (+ bias). */
export function fusedMatMul(a: tf.Tensor2D, b: tf.Tensor2D, bias: tf.Tensor | undefined): tf.Tensor {
  if (bias === undefined) return tf.matMul(a, b);
  return isTapeOpen() ? tf.add(tf.matMul(a, b), bias) : tf.fused.matMul({ a, b, bias });
}

/** Attributes of a convolution. */
export interface ConvAttrs {
  readonly strides: [number, number];
  readonly pad: 'same' | 'valid' | number;
  readonly dilations: [number, number];
}

/** conv2d(x, filter) (+ bias). */
export function fusedConv2d(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  bias: tf.Tensor | undefined,
  attrs: ConvAttrs,
): tf.Tensor4D {
  const { strides, pad, dilations } = attrs;
  if (bias !== undefined && !isTapeOpen()) return tf.fused.conv2d({ x, filter, bias, ...attrs });
  const y = tf.conv2d(x, filter, strides, pad, 'NHWC', dilations);
  return bias === undefined ? y : tf.add(y, bias);
}
