import { createState, FrugalError, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitModel, ExitParams } from '../exit-model.ts';
import { argMax, logSumExp } from '../policies/confidence.ts';
import { type CacheTools, idsOf, openDecoder } from './cached-model.ts';

/** Options of `speculate`. */
export interface SpeculateOptions {
  /** How many tokens to make. */
  readonly tokens: number;
  /** `{ openCache, truncateCache }` of `@frugal/nn`. */
  readonly cache: CacheTools;
  /** The early exit that drafts. Default 0. */
  readonly exit?: number;
  /** Most positions that are verified at once, at least 1. Default 4. */
  readonly draft?: number;
  /**
   * Drafting stops where the product of the drafts' probabilities falls below: what is unlikely to be accepted is not
   * worth its cost. In [0, 1); default 0, always `draft`.
   */
  readonly confidence?: number;
}

/** What a speculation did. */
export interface Speculation {
  /** Guesses of the early exit. */
  readonly drafted: number;
  /** Guesses that the whole model confirmed. */
  readonly accepted: number;
  /** Runs of the rest of the model. */
  readonly verifications: number;
}

/**
 * Continues a text exactly as greedy decoding of the whole model would, in fewer runs of its deep part.
 *
 * The stages before an early exit draft a few tokens, one after the other; the stages behind it run once on all of their
 * kept hidden states and confirm the longest right beginning, or correct it (self-speculation, arXiv 2404.16710).
 *
 * @param prompt Ids to continue, at least one.
 * @returns The new ids one by one; at the end what was drafted and accepted. Leaving the loop frees everything.
 * @throws {FrugalError} `BAD_OPTION` for a model without caches, an exit before its first block or one that looks at the
 *   exit before, a text longer than the model's context.
 */
export async function* speculate<P extends Tree>(
  model: ExitModel<P>,
  params: ExitParams<P>,
  prompt: readonly number[],
  options: SpeculateOptions,
): AsyncGenerator<number, Speculation> {
  const { tokens, cache, exit = 0, draft = 4, confidence = 0 } = options;
  const at = checkExit(model, exit, draft, confidence);
  const end = model.backbone.stages.length;
  const state = createState();
  let [drafted, accepted, verifications] = [0, 0, 0];
  let hidden: tf.Tensor[] = [];
  try {
    const { caches, run, ctx } = openDecoder('speculate', model, params, { prompt, tokens, cache, state });
    let [token] = (await bestOf(() => run(idsOf(prompt), 0, end))).slice(-1) as [number];
    let cached = prompt.length;
    let made = 1;
    yield token;
    while (made < tokens) {
      const most = Math.min(draft, tokens - made);
      const guesses: number[] = [];
      let sure = 1;
      for (let next = token; ; next = guesses.at(-1)!) {
        const h = tf.tidy(() => run(idsOf([next]), 0, at));
        hidden.push(h);
        // The verification itself says what follows the last position: no guess is needed there.
        if (hidden.length === most) break;
        const logits = model.answer(params, exit, h, undefined, ctx);
        const values = (await logits.data()) as Float32Array;
        logits.dispose();
        const guess = argMax(values);
        sure *= Math.exp(values[guess]! - logSumExp(values));
        if (sure < confidence) break;
        guesses.push(guess);
      }
      const rows = hidden;
      const answers = await bestOf(() => run(rows.length === 1 ? rows[0]! : tf.concat(rows, 1), at, end));
      tf.dispose(hidden);
      hidden = [];
      let right = 0;
      while (right < guesses.length && guesses[right] === answers[right]) right++;
      drafted += guesses.length;
      accepted += right;
      verifications++;
      cached += right + 1;
      if (right + 1 < rows.length) cache.truncateCache(state, caches, cached);
      for (const answer of answers.slice(0, right + 1)) yield answer;
      made += right + 1;
      token = answers[right]!;
    }
  } finally {
    tf.dispose(hidden);
    state.dispose();
  }
  return { drafted, accepted, verifications };
}

/** The likeliest token at each position. */
async function bestOf(run: () => tf.Tensor): Promise<number[]> {
  const logits = tf.tidy(run); // [1, T, vocabulary]
  const values = (await logits.data()) as Float32Array;
  const [, positions, vocabulary] = logits.shape as [number, number, number];
  logits.dispose();
  return Array.from({ length: positions }, (_, t) => argMax(values.subarray(t * vocabulary, (t + 1) * vocabulary)));
}

/** The point of the exit that drafts. */
function checkExit<P extends Tree>(model: ExitModel<P>, exit: number, draft: number, confidence: number): number {
  const spec = model.exits[exit];
  // Positions are counted by the cache of the first block, which therefore has to see every draft.
  if (spec === undefined || spec.at < 2 || spec.head.alone !== true) {
    throw new FrugalError(
      'BAD_OPTION',
      `speculate: exit must be an early exit behind the first block whose head looks at nothing else, got ${exit}.`,
    );
  }
  if (!(Number.isInteger(draft) && draft >= 1) || !(confidence >= 0 && confidence < 1)) {
    throw new FrugalError(
      'BAD_OPTION',
      `speculate: draft must be a whole number from 1 and confidence lie in [0, 1), got ${draft} and ${confidence}.`,
    );
  }
  return spec.at;
}
