import { type Context, foldIn, gatherRows, type Module, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionInput, type AttentionOptions, type AttentionParams, attention } from './attention.ts';
import { applyChild, childContext } from './context.ts';
import type { DenseParams } from './dense.ts';
import { drop } from './dropout.ts';
import { type FeedForwardOptions, type FeedForwardParams, feedForward } from './feed-forward.ts';
import { type LayerNormParams, layerNorm, type RmsNormParams, rmsNorm } from './layer-norm.ts';

/** Parameters of `transformerBlock`; `A` and `M` are the trees of its attention and its feed-forward network. */
export type BlockParams<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams> = {
  readonly norm1: LayerNormParams | RmsNormParams;
  readonly attn: A;
  readonly norm2: LayerNormParams | RmsNormParams;
  readonly mlp: M;
};

/** Options of `transformerBlock`. */
export interface BlockOptions<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams> {
  /** Default `'layer'`. */
  norm?: 'layer' | 'rms';
  /** Default 1e-5. */
  epsilon?: number;
  /** Heads of the default attention, where they are not the model's. */
  heads?: number;
  /** Hidden width of the feed-forward network ÷ dim. Default 4. */
  mlpRatio?: number;
  /** Share dropped in training, of attention weights and of both branches. Default 0. */
  dropout?: number;
  /** Of the default attention. */
  attention?: AttentionOptions<DenseParams>;
  /** Of the default feed-forward network. */
  feedForward?: FeedForwardOptions<DenseParams>;
  /** Stands where attention would. */
  attn?: Module<A>;
  /** Stands where the feed-forward network would, e.g. a mixture of experts. */
  mlp?: Module<M>;
}

/** A transformer block, which may also run for some positions only. */
export interface TransformerBlock<A extends Tree, M extends Tree> extends Module<BlockParams<A, M>> {
  /** As `Stage.applySome`; missing where `attn` was given. */
  applySome?(params: BlockParams<A, M>, x: tf.Tensor, rows: Int32Array, ctx?: Context): tf.Tensor;
}

/** A pre-norm transformer block: h = x + attn(norm1(x)), y = h + mlp(norm2(h)); [B, T, dim] → [B, T, dim]. */
export function transformerBlock<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams>(
  dim: number,
  heads: number,
  options: BlockOptions<A, M> = {},
): TransformerBlock<A, M> {
  const { norm = 'layer', epsilon = 1e-5, mlpRatio = 4, dropout: rate = 0 } = options;
  const makeNorm = (): Module<LayerNormParams | RmsNormParams> =>
    norm === 'layer'
      ? layerNorm(dim, { epsilon })
      : (rmsNorm(dim, { epsilon }) as Module<LayerNormParams | RmsNormParams>);
  const [norm1, norm2] = [makeNorm(), makeNorm()];
  const attn =
    options.attn ??
    (attention(dim, options.heads ?? heads, { dropout: rate, ...options.attention }) as unknown as Module<A>);
  const mlp =
    options.mlp ?? (feedForward(dim, Math.round(dim * mlpRatio), options.feedForward) as unknown as Module<M>);
  return {
    init: (key) => ({
      norm1: norm1.init(foldIn(key, 0)),
      attn: attn.init(foldIn(key, 1)),
      norm2: norm2.init(foldIn(key, 2)),
      mlp: mlp.init(foldIn(key, 3)),
    }),
    apply: (params, x, ctx) =>
      tf.tidy(() => {
        const branch = (h: tf.Tensor, index: 0 | 1): tf.Tensor =>
          tf.tidy(() => {
            const normed =
              index === 0
                ? applyChild(norm1, params.norm1, h, ctx, 'norm1', 0)
                : applyChild(norm2, params.norm2, h, ctx, 'norm2', 2);
            const y =
              index === 0
                ? applyChild(attn, params.attn, normed, ctx, 'attn', 1)
                : applyChild(mlp, params.mlp, normed, ctx, 'mlp', 3);
            return tf.add(h, rate === 0 ? y : drop(y, rate, childContext(ctx, '', 4 + index)));
          });
        return branch(branch(x, 0), 1);
      }),
    ...(options.attn === undefined && {
      applySome: (params, x, rows, ctx) =>
        tf.tidy(() => {
          const normed = applyChild(norm1, params.norm1, x, ctx, 'norm1', 0);
          const some = attn as unknown as Module<A, AttentionInput>;
          const mixed = some.apply(params.attn, { x: normed, rows }, childContext(ctx, 'attn', 1));
          if (rows.length === 0) return x.clone();
          const flat = tf.reshape(x, [x.size / dim, dim]);
          const h = tf.add(gatherRows(flat, rows), mixed);
          const second = tf.expandDims(applyChild(norm2, params.norm2, h, ctx, 'norm2', 2));
          const y = tf.add(h, tf.reshape(applyChild(mlp, params.mlp, second, ctx, 'mlp', 3), h.shape));
          return tf.reshape(replaceRows(flat, rows, y), x.shape);
        }),
    }),
  };
}

/** `x` with `y` in the place of some rows. Copies, so that the other rows keep their bits. */
function replaceRows(x: tf.Tensor, rows: Int32Array, y: tf.Tensor): tf.Tensor {
  const count = x.shape[0]!;
  if (rows.length === count) return y;
  const from = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < rows.length; i++) from[rows[i]!] = count + i;
  return gatherRows(tf.concat([x, y], 0), from);
}
