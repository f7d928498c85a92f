import { type Context, FrugalError, foldIn, gatherRows, type Module, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput, checkPositive, checkRate, whereIs } from './checks.ts';
import { applyChild, childContext } from './context.ts';
import { type DenseParams, dense } from './dense.ts';
import { drop } from './dropout.ts';
import { glorotUniform, type Initializer } from './initializers.ts';
import { extendCache, openLength } from './kv-cache.ts';
import { rotary } from './rotary.ts';
import type { Layer } from './spec.ts';

/** Parameters of `attention`: one projection to queries, keys and values, one of the result. */
export type AttentionParams<L extends Tree = DenseParams> = { readonly qkv: L; readonly proj: L };

/** A sequence with a mask. */
export interface AttentionInput {
  /** [B, T, dim]. */
  readonly x: tf.Tensor;
  /** 1 where a position may be attended to, else 0: [B, S] by key, or anything that broadcasts to [B, heads, T, S]. */
  readonly mask?: tf.Tensor;
  /** Numbers b·T + t of the positions whose outputs are wanted, [n, dim]; all are attended to. Default: all, [B, T, dim]. */
  readonly rows?: Int32Array;
}

/** Options of `attention`. */
export interface AttentionOptions<L extends Tree = DenseParams> {
  /** Whether a position sees only itself and what is before it. Default false. */
  causal?: boolean;
  /** Whether queries and keys are rotated by their positions; a number sets the base. Default false. */
  rotary?: boolean | number;
  /** Heads of keys and values, shared by groups of query heads (arXiv 2305.13245). Default: `heads`. */
  kvHeads?: number;
  /** Features of a head. Default dim ÷ heads, which is then a whole number; others after heads were cut. */
  headSize?: number;
  /** Share of the attention weights dropped in training. Default 0. */
  dropout?: number;
  /** Makes the two projections, by name `'qkv'` and `'proj'`. Default `dense`. */
  linear?: (inFeatures: number, outFeatures: number, name: 'qkv' | 'proj') => Module<L>;
  /** Default `glorotUniform()`; of the default projections. */
  weightInit?: Initializer;
  /** Of the last projection. Default: `weightInit`. */
  projInit?: Initializer;
}

/**
 * Multi-head self-attention: [B, T, dim] → [B, T, dim] (arXiv 1706.03762).
 *
 * Per head softmax(q·kᵀ/√d + mask)·v. Where `ctx.state` holds an open cache (`openCache`), earlier keys and values are
 * attended to and the new ones are appended.
 *
 * @param dim Features, a multiple of `heads` unless `headSize` is given.
 * @throws {FrugalError} On `apply`, for an input of another shape.
 */
export function attention<L extends Tree = DenseParams>(
  dim: number,
  heads: number,
  options: AttentionOptions<L> = {},
): Layer<AttentionParams<L>> & Module<AttentionParams<L>, tf.Tensor | AttentionInput> {
  const { causal = false, kvHeads = heads, dropout: rate = 0, weightInit = glorotUniform() } = options;
  const size = options.headSize ?? dim / heads;
  checkHeads({ dim, heads, kvHeads, size }, options.rotary !== undefined && options.rotary !== false);
  checkRate('attention', rate);
  const inner = heads * size;
  const make =
    options.linear ??
    ((inFeatures: number, outFeatures: number, name: string) => {
      const init = name === 'proj' ? (options.projInit ?? weightInit) : weightInit;
      return dense(inFeatures, outFeatures, { weightInit: init }) as unknown as Module<L>;
    });
  const qkv = make(dim, (heads + 2 * kvHeads) * size, 'qkv');
  const proj = make(inner, dim, 'proj');
  const rotate = options.rotary ? rotary(size, options.rotary === true ? undefined : options.rotary) : undefined;
  const bias = causalBias();

  const run = (params: AttentionParams<L>, { x, mask, rows }: AttentionInput, ctx: Context | undefined) => {
    const [batch, time] = x.shape as [number, number];
    const past = openLength(ctx);
    const made = applyChild(qkv, params.qkv, x, ctx, 'qkv', 0);
    // Heads first: parts and heads then lie one after the other, and splitting copies blocks instead of rows.
    const all = tf.transpose(tf.reshape(made, [batch, time, heads + 2 * kvHeads, size]), [2, 0, 1, 3]);
    const [qk, v] = tf.split(all, [heads + kvHeads, kvHeads]) as [tf.Tensor, tf.Tensor];
    const [q, k] = tf.split(rotate ? rotate(qk, past ?? 0) : qk, [heads, kvHeads]) as [tf.Tensor, tf.Tensor];
    // Keys lie transposed, [heads, B, size, S]: the product with the queries then needs no transpose, and caches stay so.
    let [keys, values] = [tf.transpose(k, [0, 1, 3, 2]), v];
    if (past !== undefined) ({ keys, values } = extendCache(ctx!, keys, values));
    if (rows?.length === 0) return tf.zeros([0, dim]);
    let scores = tf.matMul(tf.mul(q, 1 / Math.sqrt(size)), repeatHeads(keys, heads / kvHeads));
    if (causal && time > 1) scores = tf.add(scores, bias(time, keys.shape[3]!));
    if (mask) scores = tf.add(scores, maskBias(mask, scores.shape, ctx));
    const weights = drop(tf.softmax(scores), rate, childContext(ctx, '', 2));
    const mixed = tf.transpose(tf.matMul(weights, repeatHeads(values, heads / kvHeads)), [1, 2, 0, 3]);
    const wanted = rows
      ? gatherRows(tf.reshape(mixed, [batch * time, inner]), rows)
      : tf.reshape(mixed, [batch, time, inner]);
    return applyChild(proj, params.proj, wanted, ctx, 'proj', 1);
  };

  return {
    spec: { kind: 'attention', dim, heads, kvHeads, headSize: size, causal },
    init: (key) => ({ qkv: qkv.init(foldIn(key, 0)), proj: proj.init(foldIn(key, 1)) }),
    apply(params: AttentionParams<L>, input: tf.Tensor | AttentionInput, ctx?: Context) {
      const all = input instanceof tf.Tensor ? { x: input } : input;
      checkInput('attention', all.x, { rank: 3, last: dim }, ctx);
      return tf.tidy(() => run(params, all, ctx));
    },
  };
}

function checkHeads(sizes: { dim: number; heads: number; kvHeads: number; size: number }, rotated: boolean): void {
  const { dim, heads, kvHeads, size } = sizes;
  checkPositive('attention', { dim, heads, kvHeads });
  if (!Number.isInteger(size) || size < 1 || heads % kvHeads !== 0) {
    const got = `dim ${dim}, heads ${heads}, kvHeads ${kvHeads}, headSize ${size}`;
    throw new FrugalError(
      'BAD_OPTION',
      `attention: heads must divide dim unless headSize is given, and kvHeads heads; got ${got}.`,
    );
  }
  if (rotated && size % 2 !== 0) {
    throw new FrugalError('BAD_OPTION', `attention: rotary needs an even size of heads, got ${size}.`);
  }
}

/** [kvHeads, B, a, b] → [kvHeads · times, B, a, b], each head `times` in a row. */
function repeatHeads(x: tf.Tensor, times: number): tf.Tensor {
  if (times === 1) return x;
  const [heads, ...rest] = x.shape as [number, ...number[]];
  const copies = tf.tile(tf.reshape(x, [heads, 1, x.size / heads]), [1, times, 1]);
  return tf.reshape(copies, [heads * times, ...rest]);
}

const forbidden = -1e9;

/** −1e9 where key s lies after query t, whose positions end together; the last table is kept on the host. */
function causalBias(): (queries: number, keys: number) => tf.Tensor2D {
  let made: { queries: number; keys: number; values: Float32Array } | undefined;
  return (queries, keys) => {
    if (made?.queries !== queries || made.keys !== keys) {
      const values = new Float32Array(queries * keys);
      for (let t = 0; t < queries; t++) values.fill(forbidden, t * keys + (keys - queries) + t + 1, (t + 1) * keys);
      made = { queries, keys, values };
    }
    return tf.tensor2d(made.values, [queries, keys]);
  };
}

/** −1e9 where the mask is 0, in the order of the scores: [heads, B, T, S]. */
function maskBias(mask: tf.Tensor, scores: number[], ctx: Context | undefined): tf.Tensor {
  const [heads, batch, time, keys] = scores as [number, number, number, number];
  const byKey = mask.rank === 2 && mask.shape[0] === batch && mask.shape[1] === keys;
  const full = byKey ? [batch, 1, 1, keys] : [...new Array<number>(Math.max(0, 4 - mask.rank)).fill(1), ...mask.shape];
  if (full.length !== 4 || full.some((n, i) => n !== 1 && n !== [batch, heads, time, keys][i])) {
    const want = `[B, S] or what broadcasts to [${batch},${heads},${time},${keys}]`;
    throw new FrugalError('BAD_SHAPE', `${whereIs('attention', ctx)} takes a mask of ${want}, got [${mask.shape}].`);
  }
  const wide = tf.transpose(tf.cast(tf.reshape(mask, full), 'float32'), [1, 0, 2, 3]);
  return tf.mul(tf.sub(1, wide), forbidden);
}
