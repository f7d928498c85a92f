import { createState, FrugalError, fillUniform, foldIn, type Key, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { openCache } from '../kv-cache.ts';
import type { Gpt, GptParams } from './gpt.ts';

/** Options of `generate`. */
export interface GenerateOptions {
  /** How many tokens to make. Default: for ever with rotary positions, else up to the model's context. */
  tokens?: number;
  /** Logits are divided by it; 0 (default) always takes the likeliest token. */
  temperature?: number;
  /** Only that many of the likeliest tokens are considered. Default: all. */
  topK?: number;
  /** Needed with a temperature; equal keys give equal texts. */
  key?: Key;
}

/**
 * Continues a text token by token, each time running the model on one token over its key–value cache.
 *
 * @param prompt Ids to continue, at least one.
 * @returns The new ids one by one; leaving the loop frees everything.
 * @throws {FrugalError} For an empty prompt, a text longer than the model's context, or a temperature without a key.
 */
export async function* generate<A extends Tree, M extends Tree>(
  model: Gpt<A, M>,
  params: GptParams<A, M>,
  prompt: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<number, void, void> {
  const { temperature = 0, topK = model.vocabulary, key } = options;
  // The last token is made, but never read.
  const { tokens = model.context - prompt.length + 1 } = options;
  check(model.context, prompt.length, tokens, temperature, topK, key);
  const state = createState();
  try {
    openCache(state, model.caches);
    let next: readonly number[] = prompt;
    for (let i = 0; i < tokens; i++) {
      const logits = tf.tidy(() => {
        const ids = tf.tensor2d([...next], [1, next.length], 'int32');
        const all = model.apply(params, ids, { train: false, state });
        return tf.reshape(tf.slice(all, [0, next.length - 1, 0], [1, 1, model.vocabulary]), [model.vocabulary]);
      });
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      const token = pick(values, temperature, topK, key && foldIn(key, i));
      yield token;
      next = [token];
    }
  } finally {
    state.dispose();
  }
}

function pick(logits: Float32Array, temperature: number, topK: number, key: Key | undefined): number {
  if (temperature === 0) return logits.reduce((best, logit, i) => (logit > logits[best]! ? i : best), 0);
  const likeliest = Array.from(logits.keys())
    .sort((a, b) => logits[b]! - logits[a]!)
    .slice(0, topK);
  const weights = likeliest.map((i) => Math.exp((logits[i]! - logits[likeliest[0]!]!) / temperature));
  const uniform = new Float32Array(1);
  fillUniform(key!, uniform);
  let left = uniform[0]! * weights.reduce((a, b) => a + b, 0);
  const place = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return likeliest[place < 0 ? likeliest.length - 1 : place]!;
}

function check(context: number, length: number, tokens: number, temperature: number, topK: number, key?: Key): void {
  if (length === 0)
    throw new FrugalError('BAD_OPTION', 'generate: the prompt is empty. Begin with at least one token.');
  if (!(tokens >= 0) || length + tokens - 1 > context) {
    const got = `a prompt of ${length} and ${tokens} new tokens`;
    throw new FrugalError('BAD_OPTION', `generate: the model reads at most ${context} tokens, got ${got}.`);
  }
  if (!(temperature >= 0) || (temperature > 0 && key === undefined)) {
    const message = `a temperature is at least 0 and, if positive, needs 'key'; got ${temperature}.`;
    throw new FrugalError('BAD_OPTION', `generate: ${message}`);
  }
  if (!(topK >= 1)) throw new FrugalError('BAD_OPTION', `generate: topK is at least 1, got ${topK}.`);
}
