import { FrugalError, foldIn, type Stage, type Staged } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { applyChild } from '../context.ts';
import { type Conv2dParams, conv2d } from '../conv2d.ts';
import { type DenseParams, dense } from '../dense.ts';
import { lecunNormal } from '../initializers.ts';
import { globalAvgPool } from '../pool.ts';
import { makeStage, staged } from '../stages.ts';
import {
  type ResnetBlockOptions,
  type ResnetBlockParams,
  type ResnetNormParams,
  resnetBlock,
  resnetNorm,
} from './resnet-block.ts';

/** Parameters of `resnet`. */
export type ResnetParams = {
  readonly conv1: Conv2dParams<false>;
  readonly bn1: ResnetNormParams;
  readonly layer1: readonly ResnetBlockParams[];
  readonly layer2: readonly ResnetBlockParams[];
  readonly layer3: readonly ResnetBlockParams[];
  readonly fc: DenseParams;
};

/** Options of `resnet`. */
export interface ResnetOptions extends ResnetBlockOptions {
  /** Layers with weights, 6n + 2: 20 (default), 32, 44, 56, 110. */
  depth?: number;
  /** Channels of the first third; the others have 2 and 4 times as many. Default 16. */
  width?: number;
  /** Channels of an image. Default 3. */
  inChannels?: number;
  /** Default 10. */
  classes?: number;
}

/**
 * The residual network for small images of He et al., section 4.2 (arXiv 1512.03385): [B, H, W, C] → [B, classes].
 *
 * Three groups of blocks with 16, 32 and 64 channels on images of full, half and quarter size. Stages: `stem`, one per
 * block, `head`. With batch norm, inference needs the state of the training.
 */
export function resnet(options: ResnetOptions = {}): Staged<ResnetParams> {
  const { depth = 20, width = 16, inChannels = 3, classes = 10, norm = 'batch' } = options;
  const perGroup = (depth - 2) / 6;
  if (!Number.isInteger(perGroup) || perGroup < 1) {
    throw new FrugalError('BAD_OPTION', `resnet: depth must be 6n + 2 (8, 20, 32, 56, …), got ${depth}.`);
  }
  const conv1 = conv2d(inChannels, width, 3, { padding: 'same', bias: false });
  const bn1 = resnetNorm(width, norm);
  const names = ['layer1', 'layer2', 'layer3'] as const;
  const groups = names.map((_, g) => {
    const out = width * 2 ** g;
    return Array.from({ length: perGroup }, (_, i) =>
      resnetBlock(i === 0 && g > 0 ? out / 2 : out, out, i === 0 && g > 0 ? 2 : 1, options),
    );
  });
  const pool = globalAvgPool();
  const fc = dense(width * 4, classes, { weightInit: lecunNormal() });

  const stem = makeStage<ResnetParams>({
    name: 'stem',
    path: '',
    index: 0,
    params: ({ conv1, bn1 }) => ({ conv1, bn1 }),
    run: (all, x, ctx) => {
      const h = applyChild(conv1, all.conv1, x, ctx, 'conv1', 0);
      return tf.relu(applyChild(bn1, all.bn1, h, ctx, 'bn1', 1));
    },
  });
  const blocks = groups.flatMap((group, g) =>
    group.map((block, i): Stage<ResnetParams> => {
      const at = (all: ResnetParams): ResnetBlockParams => all[names[g]!][i]!;
      const index = 1 + g * perGroup + i;
      const run = (all: ResnetParams, x: tf.Tensor, ctx: Parameters<typeof block.apply>[2]) =>
        block.apply(at(all), x, ctx);
      return makeStage({ name: `${names[g]}.${i}`, index, params: at, run });
    }),
  );
  const head = makeStage<ResnetParams>({
    name: 'head',
    path: '',
    index: 1 + 3 * perGroup,
    params: ({ fc }) => ({ fc }),
    run: (all, x, ctx) => applyChild(fc, all.fc, pool.apply({}, x), ctx, 'fc', 0),
  });
  return staged<ResnetParams>(
    (key) => {
      const group = (g: number): ResnetBlockParams[] =>
        groups[g]!.map((block, i) => block.init(foldIn(foldIn(key, 2 + g), i)));
      return {
        conv1: conv1.init(foldIn(key, 0)),
        bn1: bn1.init(foldIn(key, 1)),
        layer1: group(0),
        layer2: group(1),
        layer3: group(2),
        fc: fc.init(foldIn(key, 5)),
      };
    },
    [stem, ...blocks, head],
  );
}
