import { foldIn } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput } from './checks.ts';
import { type ConvOptions, checkConv, pair, type Size2d } from './conv-options.ts';
import { fusedConv2d } from './fused.ts';
import { heNormal, zeros } from './initializers.ts';
import type { Affine } from './params.ts';
import type { Layer } from './spec.ts';

/** Parameters of `conv2d`: `weight` [height, width, in, out] and, unless left out, `bias` [out]. */
export type Conv2dParams<B extends boolean = true> = Affine<tf.Tensor4D, B>;

/**
 * A two-dimensional convolution, channels last.
 *
 * [B, H, W, in] → [B, H', W', out]. The weight is [height, width, in, out].
 *
 * @throws {FrugalError} On `apply`, if the input has another rank or number of channels.
 */
export function conv2d<const B extends boolean = true>(
  inChannels: number,
  outChannels: number,
  kernelSize: Size2d,
  options: ConvOptions<B> = {},
): Layer<Conv2dParams<B>> {
  const { padding = 'valid', bias = true, weightInit = heNormal(), biasInit = zeros() } = options;
  const [kernel, strides, dilation] = [pair(kernelSize), pair(options.strides ?? 1), pair(options.dilation ?? 1)];
  checkConv('conv2d', { inChannels, outChannels }, { kernelSize: kernel, strides, dilation }, padding);
  const area = kernel[0] * kernel[1];
  const fans = { fanIn: area * inChannels, fanOut: area * outChannels };
  return {
    spec: { kind: 'conv2d', inChannels, outChannels, kernelSize: kernel, strides, padding, dilation, bias },
    init(key) {
      const weight = weightInit(foldIn(key, 0), [...kernel, inChannels, outChannels], fans);
      return (bias ? { weight, bias: biasInit(foldIn(key, 1), [outChannels], fans) } : { weight }) as Conv2dParams<B>;
    },
    apply(params: { weight: tf.Tensor4D; bias?: tf.Tensor }, x, ctx) {
      checkInput('conv2d', x, { rank: 4, last: inChannels }, ctx);
      const { weight, bias } = params;
      return tf.tidy(() => fusedConv2d(x as tf.Tensor4D, weight, bias, { strides, pad: padding, dilations: dilation }));
    },
  };
}
