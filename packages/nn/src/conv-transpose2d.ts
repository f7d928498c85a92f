import { foldIn } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput } from './checks.ts';
import { type ConvOptions, checkConv, pair, type Size2d, toPad } from './conv-options.ts';
import { heNormal, zeros } from './initializers.ts';
import type { Affine } from './params.ts';
import type { Layer } from './spec.ts';

/** Parameters of `convTranspose2d`: `weight` [height, width, out, in] and, unless left out, `bias` [out]. */
export type ConvTranspose2dParams<B extends boolean = true> = Affine<tf.Tensor4D, B>;

/**
 * A transposed (upsampling) convolution: the adjoint of `conv2d` in its input, with channels swapped.
 *
 * [B, H, W, in] → [B, H', W', out]; H' = stride · H for `'same'`, stride · (H − 1) + kernel − 2 · padding otherwise.
 *
 * @throws {FrugalError} On `apply`, if the input has another rank or number of channels.
 */
export function convTranspose2d<const B extends boolean = true>(
  inChannels: number,
  outChannels: number,
  kernelSize: Size2d,
  options: Omit<ConvOptions<B>, 'dilation'> = {},
): Layer<ConvTranspose2dParams<B>> {
  const { padding = 'valid', bias = true, weightInit = heNormal(), biasInit = zeros() } = options;
  const [kernel, strides] = [pair(kernelSize), pair(options.strides ?? 1)];
  checkConv('convTranspose2d', { inChannels, outChannels }, { kernelSize: kernel, strides }, padding);
  const area = kernel[0] * kernel[1];
  // Each output sees area ÷ stride² taps of each input channel.
  const fans = { fanIn: (area * inChannels) / (strides[0] * strides[1]), fanOut: area * outChannels };
  const outSize = (size: number, axis: 0 | 1): number =>
    padding === 'same'
      ? size * strides[axis]
      : (size - 1) * strides[axis] + kernel[axis] - 2 * (padding === 'valid' ? 0 : padding);
  return {
    spec: {
      kind: 'convTranspose2d',
      inChannels,
      outChannels,
      kernelSize: kernel,
      strides,
      padding,
      dilation: [1, 1],
      bias,
    },
    init(key) {
      const weight = weightInit(foldIn(key, 0), [...kernel, outChannels, inChannels], fans);
      const made = bias ? { weight, bias: biasInit(foldIn(key, 1), [outChannels], fans) } : { weight };
      return made as ConvTranspose2dParams<B>;
    },
    apply(params: { weight: tf.Tensor4D; bias?: tf.Tensor }, x, ctx) {
      checkInput('convTranspose2d', x, { rank: 4, last: inChannels }, ctx);
      return tf.tidy(() => {
        const [batch, height, width] = x.shape as [number, number, number];
        const shape: [number, number, number, number] = [batch, outSize(height, 0), outSize(width, 1), outChannels];
        const y = tf.conv2dTranspose(
          x as tf.Tensor4D,
          params.weight,
          shape,
          strides,
          toPad(padding, shape, kernel, strides),
        );
        return params.bias === undefined ? y : tf.add(y, params.bias);
      });
    },
  };
}
