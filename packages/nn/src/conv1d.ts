import { foldIn } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput } from './checks.ts';
import { checkConv, explicitPad } from './conv-options.ts';
import { type ConvolveOptions, convolve } from './conv2d.ts';
import { heNormal, type Initializer, zeros } from './initializers.ts';
import type { Affine } from './params.ts';
import type { Layer, Padding } from './spec.ts';

/** Parameters of `conv1d`: `weight` [width, in, out] and, unless left out, `bias` [out]. */
export type Conv1dParams<B extends boolean = true> = Affine<tf.Tensor3D, B>;

/** Options of `conv1d`. */
export interface Conv1dOptions<B extends boolean = true> {
  /** Default 1. */
  stride?: number;
  /** `'valid'` (default), `'same'`, zeros on each side, or `'causal'`: zeros before the start only. */
  padding?: Padding | 'causal';
  /** Distance between the kernel's taps. Default 1. */
  dilation?: number;
  /** Whether a bias is added. Default true. */
  bias?: B;
  /** Default `heNormal()`. */
  weightInit?: Initializer;
  /** Default `zeros()`. */
  biasInit?: Initializer;
}

/**
 * A convolution over sequences, channels last.
 *
 * [B, T, in] → [B, T', out]. The weight is [width, in, out].
 *
 * @throws {FrugalError} On `apply`, if the input has another rank or number of channels.
 */
export function conv1d<const B extends boolean = true>(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  options: Conv1dOptions<B> = {},
): Layer<Conv1dParams<B>> {
  const { stride = 1, padding = 'valid', dilation = 1, bias = true } = options;
  const { weightInit = heNormal(), biasInit = zeros() } = options;
  checkConv('conv1d', { inChannels, outChannels, kernelSize, stride, dilation }, {}, padding);
  const pad = padFor(padding, (kernelSize - 1) * dilation);
  const fans = { fanIn: kernelSize * inChannels, fanOut: kernelSize * outChannels };
  return {
    spec: {
      kind: 'conv1d',
      inChannels,
      outChannels,
      kernelSize: [1, kernelSize],
      strides: [1, stride],
      padding,
      dilation: [1, dilation],
      bias,
    },
    init(key) {
      const weight = weightInit(foldIn(key, 0), [kernelSize, inChannels, outChannels], fans);
      return (bias ? { weight, bias: biasInit(foldIn(key, 1), [outChannels], fans) } : { weight }) as Conv1dParams<B>;
    },
    apply(params: { weight: tf.Tensor3D; bias?: tf.Tensor }, x, ctx) {
      checkInput('conv1d', x, { rank: 3, last: inChannels }, ctx);
      return tf.tidy(() => {
        const [batch, time] = x.shape as [number, number];
        const rows = tf.reshape(x, [batch, 1, time, inChannels]) as tf.Tensor4D;
        const weight = tf.reshape(params.weight, [1, kernelSize, inChannels, outChannels]) as tf.Tensor4D;
        const options = { strides: [1, stride], pad, dilations: [1, dilation] } satisfies ConvolveOptions;
        const y = convolve(rows, { ...params, weight }, options);
        return tf.reshape(y, [batch, y.shape[2]!, outChannels]);
      });
    },
  };
}

function padFor(padding: Padding | 'causal', reach: number): 'same' | 'valid' {
  if (typeof padding === 'number') return explicitPad([0, 0], [padding, padding]);
  return padding === 'causal' ? explicitPad([0, 0], [reach, 0]) : padding;
}
