import { differentiable, foldIn } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput } from './checks.ts';
import { type ConvOptions, checkConv, pair, type Size2d, toPad } from './conv-options.ts';
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
      const pad = toPad(padding, x.shape, kernel, strides);
      return convolve(x as tf.Tensor4D, params, { strides, pad, dilations: dilation });
    },
    applyRelu(params: { weight: tf.Tensor4D; bias?: tf.Tensor }, x, ctx) {
      checkInput('conv2d', x, { rank: 4, last: inChannels }, ctx);
      const pad = toPad(padding, x.shape, kernel, strides);
      const { weight: filter, bias } = params;
      // Dilated convolutions are not fused, as in `convolve`.
      if (dilation[0] > 1 || dilation[1] > 1) {
        return tf.tidy(() => tf.relu(convolve(x as tf.Tensor4D, params, { strides, pad, dilations: dilation })));
      }
      return tf.fused.conv2d({ x: x as tf.Tensor4D, filter, strides, pad, ...(bias && { bias }), activation: 'relu' });
    },
  };
}

/** Geometry of `convolve`, as tfjs's convolutions take it. */
export interface ConvolveOptions {
  strides: [number, number];
  /** From `toPad`. */
  pad: 'valid' | 'same';
  dilations: [number, number];
}

/**
 * conv2d(x, weight) (+ bias), [B, H, W, in] → [B, H', W', out].
 *
 * One kernel forward, and backward only the gradients that are asked for, so that a first layer never pays for its data's.
 */
export function convolve(
  x: tf.Tensor4D,
  params: { weight: tf.Tensor4D; bias?: tf.Tensor },
  options: ConvolveOptions,
): tf.Tensor4D {
  const { weight, bias } = params;
  const { strides, dilations, pad } = options;
  if (dilations[0] > 1 || dilations[1] > 1) {
    return tf.tidy(() => {
      const y = tf.conv2d(x, weight, strides, pad, 'NHWC', dilations);
      return bias ? tf.add(y, bias) : y;
    });
  }
  return differentiable(
    { x, weight, bias },
    (save) => {
      save([x, weight]);
      return bias ? tf.fused.conv2d({ x, filter: weight, strides, pad, bias }) : tf.conv2d(x, weight, strides, pad);
    },
    (dy, [savedX, savedWeight]) => ({
      x: () => tf.conv2dTranspose(dy as tf.Tensor4D, savedWeight as tf.Tensor4D, x.shape, strides, pad),
      weight: () => {
        const attrs = { strides, pad, dataFormat: 'NHWC', filterShape: weight.shape };
        return tf.engine().runKernel('Conv2DBackpropFilter', { x: savedX!, dy }, attrs as unknown as tf.NamedAttrMap);
      },
      bias: () => tf.sum(dy, [0, 1, 2]),
    }),
  ) as tf.Tensor4D;
}
