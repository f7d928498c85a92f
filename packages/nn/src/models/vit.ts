import { FrugalError, foldIn, type Stage, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { AttentionParams } from '../attention.ts';
import { checkInput, checkPositive } from '../checks.ts';
import { applyChild, childContext } from '../context.ts';
import { type DenseParams, dense } from '../dense.ts';
import { drop } from '../dropout.ts';
import type { FeedForwardParams } from '../feed-forward.ts';
import { glorotUniform, type Initializer, normal } from '../initializers.ts';
import { type LayerNormParams, layerNorm } from '../layer-norm.ts';
import type { Layer } from '../spec.ts';
import { makeStage, staged } from '../stages.ts';
import { type BlockOptions, type BlockParams, transformerBlock } from '../transformer-block.ts';

/** Parameters of `vit`; `cls_token` only with `pool: 'cls'`. */
export type VitParams<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams> = {
  readonly patch_embed: { readonly proj: DenseParams };
  readonly cls_token?: tf.Tensor3D;
  readonly pos_embed: tf.Tensor3D;
  readonly blocks: readonly BlockParams<A, M>[];
  readonly norm: LayerNormParams;
  readonly head: DenseParams;
};

/** Options of `vit`. */
export interface VitOptions<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams>
  extends Pick<BlockOptions, 'mlpRatio' | 'dropout' | 'attention' | 'feedForward'> {
  /** [height, width, channels] of an image. Default [28, 28, 1]. */
  input?: readonly [height: number, width: number, channels: number];
  /** Side of a patch; divides height and width. Default 7. */
  patch?: number;
  /** Default 64. */
  dim?: number;
  /** Default 4. */
  depth?: number;
  /** Default 4. */
  heads?: number;
  /** Default 10. */
  classes?: number;
  /** What the classifier reads: the mean of the tokens (default), or a token of its own. */
  pool?: 'mean' | 'cls';
  /** Of all weights in the blocks. Default `glorotUniform()`. */
  weightInit?: Initializer;
  /** Further options of block i, e.g. `{ mlp: myExperts }`. */
  block?: (index: number) => BlockOptions<A, M>;
}

/** Cuts images into patches: [B, H, W, C] → [B, H/p · W/p, p · p · C], row by row. */
export function patches(x: tf.Tensor, size: number): tf.Tensor {
  return tf.tidy(() => {
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const [down, across] = [height / size, width / size];
    // Four axes suffice, as a patch's row is contiguous: [B · down, row, across, column · channel].
    const rows = tf.reshape(x, [batch * down, size, across, size * channels]);
    return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [batch, down * across, size * size * channels]);
  });
}

/**
 * A vision transformer (arXiv 2010.11929): [B, H, W, C] → [B, classes].
 *
 * Stages: `embed` (patches and learned positions), one per block, `head` (norm, pooling, classifier).
 */
export function vit<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams>(
  options: VitOptions<A, M> = {},
): Staged<VitParams<A, M>> {
  const { input = [28, 28, 1], patch = 7, dim = 64, depth = 4, heads = 4, classes = 10, pool = 'mean' } = options;
  const { dropout = 0, weightInit = glorotUniform() } = options;
  const [height, width, channels] = input;
  checkPositive('vit', { height, width, channels, patch, dim, depth, heads, classes });
  if (height % patch !== 0 || width % patch !== 0) {
    throw new FrugalError(
      'BAD_OPTION',
      `vit: patch must divide height and width, got ${patch} for ${height}×${width}.`,
    );
  }
  type P = VitParams<A, M>;
  const tokens = (height / patch) * (width / patch) + (pool === 'cls' ? 1 : 0);
  const proj: Layer<DenseParams> = dense(patch * patch * channels, dim, { weightInit: glorotUniform() });
  const blocks = Array.from({ length: depth }, (_, i) => {
    const own = options.block?.(i);
    return transformerBlock<A, M>(dim, heads, {
      ...(options.mlpRatio !== undefined && { mlpRatio: options.mlpRatio }),
      dropout,
      ...own,
      attention: { weightInit, ...options.attention, ...own?.attention },
      feedForward: { weightInit, dropout, ...options.feedForward, ...own?.feedForward },
    });
  });
  const norm = layerNorm(dim);
  const head: Layer<DenseParams> = dense(dim, classes, { weightInit: normal({ sd: 0.02 }) });

  const embedStage = makeStage<P>({
    name: 'embed',
    path: '',
    index: 0,
    params: ({ blocks: _, norm: __, head: ___, ...rest }) => rest as Tree,
    run: (all, x, ctx) => {
      checkInput('vit', x, { rank: 4, last: channels }, ctx);
      let h = applyChild(proj, all.patch_embed.proj, patches(x, patch), ctx, 'patch_embed.proj', 0);
      if (all.cls_token) h = tf.concat([tf.tile(all.cls_token, [h.shape[0]!, 1, 1]), h], 1);
      h = tf.add(h, all.pos_embed);
      return dropout === 0 ? h : drop(h, dropout, childContext(ctx, '', 1));
    },
  });
  const blockStages = blocks.map(
    (block, i): Stage<P> =>
      makeStage<P>({
        name: `blocks.${i}`,
        index: 1 + i,
        params: (all) => all.blocks[i]!,
        run: (all, x, ctx) => block.apply(all.blocks[i]!, x, ctx),
        runSome: block.applySome && ((all, x, rows, ctx) => block.applySome!(all.blocks[i]!, x, rows, ctx)),
      }),
  );
  const headStage = makeStage<P>({
    name: 'head',
    path: '',
    index: 1 + depth,
    params: ({ norm, head }) => ({ norm, head }),
    run: (all, x, ctx) => {
      const h = applyChild(norm, all.norm, x, ctx, 'norm', 0);
      const pooled = pool === 'mean' ? tf.mean(h, 1) : tf.squeeze(tf.slice(h, [0, 0, 0], [-1, 1, -1]), [1]);
      return applyChild(head, all.head, pooled, ctx, 'head', 1);
    },
  });

  const small = normal({ sd: 0.02 });
  const fans = { fanIn: dim, fanOut: dim };
  return staged<P>(
    (key) => ({
      patch_embed: { proj: proj.init(foldIn(key, 0)) },
      ...(pool === 'cls' && { cls_token: small(foldIn(key, 1), [1, 1, dim], fans) as tf.Tensor3D }),
      pos_embed: small(foldIn(key, 2), [1, tokens, dim], fans) as tf.Tensor3D,
      blocks: blocks.map((block, i) => block.init(foldIn(foldIn(key, 3), i))),
      norm: norm.init(foldIn(key, 4)),
      head: head.init(foldIn(key, 5)),
    }),
    [embedStage, ...blockStages, headStage],
  );
}
