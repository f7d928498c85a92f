import { convReluPool } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import { relu } from './activations.ts';
import { checkInput, checkPositive } from './checks.ts';
import type { Size2d } from './conv-options.ts';
import { type Conv2dParams, conv2d } from './conv2d.ts';
import type { Initializer } from './initializers.ts';
import { maxPool2d } from './pool.ts';
import type { Layer } from './spec.ts';
import { wrap } from './wrap.ts';

/** Options of `convReluPool2d`. */
export interface ConvReluPoolOptions2d {
  /** Of the convolution. Default 1. */
  strides?: number;
  /** Of the convolution. Default `'valid'`. */
  padding?: 'valid' | 'same';
  /** Size and stride of the pooling windows. Default 2. */
  pool?: number;
  /** Default `heNormal()`. */
  weightInit?: Initializer;
}

/**
 * maxPool(relu(conv2d(x))) in one kernel where the backend has it: [B, H, W, in] → [B, H', W', out].
 *
 * The parameters, the result and, in `spec`, the description are those of the three layers one by one.
 */
export function convReluPool2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Size2d,
  options: ConvReluPoolOptions2d = {},
): Layer<Conv2dParams> {
  const { strides = 1, padding = 'valid', pool = 2, weightInit } = options;
  checkPositive('convReluPool2d', { strides, pool });
  const conv = conv2d(inChannels, outChannels, kernelSize, { strides, padding, ...(weightInit && { weightInit }) });
  return {
    ...wrap(conv, { after: [relu(), maxPool2d(pool)] }),
    apply(params, x, ctx): tf.Tensor {
      checkInput('convReluPool2d', x, { rank: 4, last: inChannels }, ctx);
      return convReluPool({ x, w: params.weight, bias: params.bias }, { strides, pad: padding, pool });
    },
  };
}
