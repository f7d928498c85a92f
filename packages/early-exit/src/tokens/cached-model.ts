import { type Context, FrugalError, type State, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitModel, ExitParams } from '../exit-model.ts';

/** How caches of keys and values are opened and cut: `{ openCache, truncateCache }` of `@frugal/nn`. */
export interface CacheTools {
  openCache(state: State, paths: readonly string[]): void;
  truncateCache(state: State, paths: readonly string[], length: number): void;
}

/** What decoding needs to know of a language model; `gpt` of `@frugal/nn` says it. */
interface Cached {
  readonly caches: readonly string[];
  readonly context: number;
}

/** A language model with exits, about to continue a text over its cache. */
export interface Decoder {
  readonly caches: readonly string[];
  /** Stages from point `from` to point `to` on the positions that follow; a new tensor. */
  run(h: tf.Tensor, from: number, to: number): tf.Tensor;
  readonly ctx: Context;
}

/**
 * Checks that a model can continue a text, and opens its caches in `state`.
 *
 * @param caller For errors.
 * @throws {FrugalError} `BAD_OPTION` for a model without caches, an empty prompt, or a text longer than its context.
 */
export function openDecoder<P extends Tree>(
  caller: string,
  model: ExitModel<P>,
  params: ExitParams<P>,
  { prompt, tokens, cache, state }: { prompt: readonly number[]; tokens: number; cache: CacheTools; state: State },
): Decoder {
  const { caches, context } = model.backbone as unknown as Partial<Cached>;
  if (caches === undefined || context === undefined) {
    throw new FrugalError('BAD_OPTION', `${caller}: the backbone has no caches. Take a gpt of @frugal/nn.`);
  }
  if (prompt.length === 0) {
    throw new FrugalError('BAD_OPTION', `${caller}: the prompt is empty. Begin with at least one token.`);
  }
  if (!(Number.isInteger(tokens) && tokens >= 1) || prompt.length + tokens - 1 > context) {
    const got = `a prompt of ${prompt.length} and ${tokens} new tokens`;
    throw new FrugalError('BAD_OPTION', `${caller}: the model reads at most ${context} tokens, got ${got}.`);
  }
  cache.openCache(state, caches);
  const ctx: Context = { train: false, state };
  const { stages } = model.backbone;
  const run = (h: tf.Tensor, from: number, to: number): tf.Tensor =>
    tf.tidy(() => stages.slice(from, to).reduce((x, stage) => stage.apply(params.backbone, x, ctx), h));
  return { caches, run, ctx };
}

/** Token numbers as a model takes them, [1, T]. */
export function idsOf(tokens: readonly number[]): tf.Tensor2D {
  return tf.tensor2d([...tokens], [1, tokens.length], 'int32');
}
