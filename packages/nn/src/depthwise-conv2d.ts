import { foldIn } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput } from './checks.ts';
import { type ConvOptions, checkConv, pair, type Size2d, toPad } from './conv-options.ts';
import { heNormal, zeros } from './initializers.ts';
import type { Affine } from './params.ts';
import type { Layer } from './spec.ts';

/** Parameters of `depthwiseConv2d`: `weight` [height, width, in, multiplier], `bias` [in · multiplier]. */
export type DepthwiseConv2dParams<B extends boolean = true> = Affine<tf.Tensor4D, B>;

/** Options of `depthwiseConv2d`. */
export interface DepthwiseConv2dOptions<B extends boolean = true> extends ConvOptions<B> {
  /** Output channels for each input channel. Default 1. */
  multiplier?: number;
}

/**
 * A convolution of each channel by itself: [B, H, W, in] → [B, H', W', in · multiplier].
 *
 * A 1×1 `conv2d` after it makes the separable convolution.
 *
 * @throws {FrugalError} On `apply`, if the input has another rank or number of channels.
 */
export function depthwiseConv2d<const B extends boolean = true>(
  inChannels: number,
  kernelSize: Size2d,
  options: DepthwiseConv2dOptions<B> = {},
): Layer<DepthwiseConv2dParams<B>> {
  const { multiplier = 1, padding = 'valid', bias = true, weightInit = heNormal(), biasInit = zeros() } = options;
  const [kernel, strides, dilation] = [pair(kernelSize), pair(options.strides ?? 1), pair(options.dilation ?? 1)];
  checkConv('depthwiseConv2d', { inChannels, multiplier }, { kernelSize: kernel, strides, dilation }, padding);
  const area = kernel[0] * kernel[1];
  const fans = { fanIn: area, fanOut: area * multiplier };
  return {
    spec: {
      kind: 'depthwiseConv2d',
      inChannels,
      outChannels: multiplier,
      kernelSize: kernel,
      strides,
      padding,
      dilation,
      bias,
    },
    init(key) {
      const weight = weightInit(foldIn(key, 0), [...kernel, inChannels, multiplier], fans);
      const made = bias ? { weight, bias: biasInit(foldIn(key, 1), [inChannels * multiplier], fans) } : { weight };
      return made as DepthwiseConv2dParams<B>;
    },
    apply(params: { weight: tf.Tensor4D; bias?: tf.Tensor }, x, ctx) {
      checkInput('depthwiseConv2d', x, { rank: 4, last: inChannels }, ctx);
      return tf.tidy(() => {
        const pad = toPad(padding, x.shape, kernel, strides);
        const y = tf.depthwiseConv2d(x as tf.Tensor4D, params.weight, strides, pad, 'NHWC', dilation);
        return params.bias === undefined ? y : tf.add(y, params.bias);
      });
    },
  };
}
