import { foldIn, type Module } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type BatchNormParams, batchNorm } from '../batch-norm.ts';
import { applyChild, runSteps } from '../context.ts';
import { type Conv2dParams, conv2d } from '../conv2d.ts';
import { groupNorm } from '../group-norm.ts';
import type { LayerNormParams } from '../layer-norm.ts';
import { sequential } from '../sequential.ts';

/** Parameters of a norm with weight and bias. */
export type ResnetNormParams = BatchNormParams | LayerNormParams;

/** Parameters of a residual block; `downsample` only where the shortcut is a projection. */
export type ResnetBlockParams = {
  readonly conv1: Conv2dParams<false>;
  readonly bn1: ResnetNormParams;
  readonly conv2: Conv2dParams<false>;
  readonly bn2: ResnetNormParams;
  readonly downsample?: readonly [Conv2dParams<false>, ResnetNormParams];
};

/** Options of the blocks of a residual network. */
export interface ResnetBlockOptions {
  /** Default `'batch'`; `'group'` needs no state. */
  norm?: 'batch' | 'group';
  /** Where shapes change: zero channels are added (`'pad'`, the paper's A) or a 1×1 convolution runs (`'projection'`, B). */
  shortcut?: 'pad' | 'projection';
}

/** The norm of a residual network; groups have at most 8 channels where that divides. */
export function resnetNorm(channels: number, kind: 'batch' | 'group'): Module<ResnetNormParams> {
  if (kind === 'batch') return batchNorm(channels);
  const groups = [8, 4, 2].find((size) => channels % size === 0) ?? 1;
  return groupNorm(channels / groups, channels);
}

/** relu(shortcut(x) + bn2(conv2(relu(bn1(conv1(x)))))): [B, H, W, in] → [B, H ÷ stride, W ÷ stride, out]. */
export function resnetBlock(
  inChannels: number,
  outChannels: number,
  stride: number,
  options: ResnetBlockOptions = {},
): Module<ResnetBlockParams> {
  const { norm = 'batch', shortcut = 'pad' } = options;
  const conv = (from: number, by: number) =>
    conv2d(from, outChannels, 3, { strides: by, padding: 'same', bias: false });
  const [conv1, conv2] = [conv(inChannels, stride), conv(outChannels, 1)];
  const [bn1, bn2] = [resnetNorm(outChannels, norm), resnetNorm(outChannels, norm)];
  const changes = stride !== 1 || inChannels !== outChannels;
  const downsample =
    changes && shortcut === 'projection'
      ? sequential([
          conv2d(inChannels, outChannels, 1, { strides: stride, bias: false }),
          resnetNorm(outChannels, norm),
        ] as const)
      : undefined;
  return {
    init: (key) => ({
      conv1: conv1.init(foldIn(key, 0)),
      bn1: bn1.init(foldIn(key, 1)),
      conv2: conv2.init(foldIn(key, 2)),
      bn2: bn2.init(foldIn(key, 3)),
      ...(downsample && { downsample: downsample.init(foldIn(key, 4)) }),
    }),
    apply: (params, x, ctx) =>
      tf.tidy(() => {
        const y = runSteps(x, [
          (h) => applyChild(conv1, params.conv1, h, ctx, 'conv1', 0),
          (h) => tf.relu(applyChild(bn1, params.bn1, h, ctx, 'bn1', 1)),
          (h) => applyChild(conv2, params.conv2, h, ctx, 'conv2', 2),
          (h) => applyChild(bn2, params.bn2, h, ctx, 'bn2', 3),
        ]);
        let past = x;
        if (downsample && params.downsample) past = applyChild(downsample, params.downsample, x, ctx, 'downsample', 4);
        else if (changes) past = padChannels(x, outChannels - inChannels, stride);
        return tf.relu(tf.add(past, y));
      }),
  };
}

/** Every `stride`-th pixel, with zero channels around the old ones. */
function padChannels(x: tf.Tensor, surplus: number, stride: number): tf.Tensor {
  // A window of one pixel: strided slices have no gradient in tfjs.
  const thinned = stride === 1 ? x : tf.maxPool(x as tf.Tensor4D, 1, stride, 'valid');
  const before = Math.floor(surplus / 2);
  return tf.pad(thinned, [[0, 0], [0, 0], [0, 0], [before, surplus - before]]); // biome-ignore format: a table
}
