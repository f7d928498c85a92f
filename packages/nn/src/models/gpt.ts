import { FrugalError, foldIn, type Stage, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { AttentionParams } from '../attention.ts';
import { checkInput, checkPositive } from '../checks.ts';
import { applyChild, childContext, joinPath } from '../context.ts';
import { type DenseParams, dense } from '../dense.ts';
import { drop } from '../dropout.ts';
import { type EmbeddingParams, embedding } from '../embedding.ts';
import type { FeedForwardParams } from '../feed-forward.ts';
import { type Initializer, normal } from '../initializers.ts';
import { cacheLength } from '../kv-cache.ts';
import { type LayerNormParams, layerNorm, type RmsNormParams, rmsNorm } from '../layer-norm.ts';
import { makeStage, staged } from '../stages.ts';
import { type BlockOptions, type BlockParams, transformerBlock } from '../transformer-block.ts';

/** Parameters of `gpt`: no `pos_embed` with rotary positions, no `head` with tied embeddings. */
export type GptParams<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams> = {
  readonly token_embed: EmbeddingParams;
  readonly pos_embed?: EmbeddingParams;
  readonly blocks: readonly BlockParams<A, M>[];
  readonly norm: LayerNormParams | RmsNormParams;
  readonly head?: DenseParams<false>;
};

/** Options of `gpt`. */
export interface GptOptions<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams>
  extends Pick<BlockOptions, 'mlpRatio' | 'dropout' | 'attention' | 'feedForward' | 'norm'> {
  /** Different tokens. */
  vocabulary: number;
  /** Longest sequence with learned positions. Default 256. */
  context?: number;
  /** Default 128. */
  dim?: number;
  /** Default 4. */
  depth?: number;
  /** Default 4. */
  heads?: number;
  /** Default `'learned'`. */
  positions?: 'learned' | 'rotary';
  /** Whether the unembedding is the embedding transposed (arXiv 1608.05859). Default true. */
  tied?: boolean;
  /** Of all weights. Default `normal({ sd: 0.02 })`, as GPT-2; what ends a branch is divided by √(2 · depth). */
  weightInit?: Initializer;
  /** Further options of block i, e.g. `{ mlp: myExperts }`. */
  block?: (index: number) => BlockOptions<A, M>;
}

/** A staged language model, with the paths of its caches. */
export interface Gpt<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams>
  extends Staged<GptParams<A, M>> {
  /** For `openCache(state, model.caches)` and `truncateCache`. */
  readonly caches: readonly string[];
  readonly vocabulary: number;
  /** Longest sequence; Infinity with rotary positions. */
  readonly context: number;
}

/**
 * A decoder-only transformer: ids int32 [B, T] → logits [B, T, vocabulary].
 *
 * Stages: `embed`, one per block, `head` (norm and unembedding). With open caches, ids are what follows the cached ones.
 *
 * @throws {FrugalError} On `apply`, for a sequence longer than `context` with learned positions.
 */
export function gpt<A extends Tree = AttentionParams, M extends Tree = FeedForwardParams>(
  options: GptOptions<A, M>,
): Gpt<A, M> {
  const { vocabulary, context = 256, dim = 128, depth = 4, heads = 4, norm: normKind = 'layer' } = options;
  const { positions = 'learned', tied = true, dropout = 0, weightInit = normal() } = options;
  checkPositive('gpt', { vocabulary, context, dim, depth, heads });
  type P = GptParams<A, M>;
  const projInit: Initializer = (key, shape, fans) =>
    tf.tidy(() => tf.div(weightInit(key, shape, fans), Math.sqrt(2 * depth)));
  const token = embedding(vocabulary, dim, { weightInit });
  const position = embedding(context, dim, { weightInit });
  const blocks = Array.from({ length: depth }, (_, i) => {
    const own = options.block?.(i);
    const positional = { causal: true, rotary: positions === 'rotary' };
    return transformerBlock<A, M>(dim, heads, {
      norm: normKind,
      ...(options.mlpRatio !== undefined && { mlpRatio: options.mlpRatio }),
      dropout,
      ...own,
      attention: { ...positional, weightInit, projInit, ...options.attention, ...own?.attention },
      feedForward: { weightInit, projInit, ...options.feedForward, ...own?.feedForward },
    });
  });
  const norm = normKind === 'layer' ? layerNorm(dim) : rmsNorm(dim);
  const head = dense(dim, vocabulary, { bias: false, weightInit });
  const caches = blocks.map((_, i) => `blocks.${i}.attn`);

  const embedStage = makeStage<P>({
    name: 'embed',
    path: '',
    index: 0,
    params: ({ token_embed, pos_embed }) => (pos_embed ? { token_embed, pos_embed } : { token_embed }),
    run: (all, ids, ctx) => {
      checkInput('gpt', ids, { rank: 2 }, ctx);
      let h = applyChild(token, all.token_embed, ids, ctx, 'token_embed', 0);
      if (all.pos_embed) {
        const time = ids.shape[1]!;
        const open = ctx?.state && !ctx.train ? cacheLength(ctx.state, joinPath(ctx.path, caches[0]!)) : 0;
        const from = open ?? 0;
        if (from + time > context) {
          const got = from > 0 ? `${time} after ${from} cached ones` : `${time}`;
          throw new FrugalError('BAD_SHAPE', `gpt: a sequence has at most ${context} tokens ('context'), got ${got}.`);
        }
        h = tf.add(h, tf.slice(all.pos_embed.weight, [from, 0], [time, dim]));
      }
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
    params: ({ norm, head, token_embed }) => (head ? { norm, head } : { norm, token_embed }),
    run: (all, x, ctx) => {
      const h = applyChild(norm as Layer, all.norm, x, ctx, 'norm', 0);
      if (all.head) return applyChild(head, all.head, h, ctx, 'head', 1);
      const [batch, time] = h.shape as [number, number];
      const rows = tf.reshape(h, [batch * time, dim]) as tf.Tensor2D;
      return tf.reshape(tf.matMul(rows, all.token_embed.weight, false, true), [batch, time, vocabulary]);
    },
  });
  type Layer = ReturnType<typeof layerNorm> & ReturnType<typeof rmsNorm>;

  const model = staged<P>(
    (key) => ({
      token_embed: token.init(foldIn(key, 0)),
      ...(positions === 'learned' && { pos_embed: position.init(foldIn(key, 1)) }),
      blocks: blocks.map((block, i) => block.init(foldIn(foldIn(key, 2), i))),
      norm: norm.init(foldIn(key, 3)),
      ...(!tied && { head: head.init(foldIn(key, 4)) }),
    }),
    [embedStage, ...blockStages, headStage],
  );
  return { ...model, caches, vocabulary, context: positions === 'learned' ? context : Number.POSITIVE_INFINITY };
}
