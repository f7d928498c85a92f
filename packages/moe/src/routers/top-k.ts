import { type Context, randomUniform } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../check.ts';
import type { Router, Selection, SelectOptions } from '../router.ts';
import {
  deviceGates,
  hostScores,
  initialWeight,
  type LinearRouterParams,
  normalizeHost,
  type ScoreName,
} from './scores.ts';

/** Options of `topKRouter`. */
export interface TopKRouterOptions {
  /** Experts per token. Default 2. */
  k?: number;
  /** Default `'softmax'`. */
  score?: 'softmax' | 'sigmoid';
  /** Whether the gates of a token sum to 1 (Mixtral). Default `k > 1`: with one expert no gradient would reach the router. */
  normalize?: boolean;
  /** In training tokens are multiplied by uniform numbers in [1 − jitter, 1 + jitter] (Switch: 0.01). Default 0. */
  jitter?: number;
}

/**
 * Each token goes to the k experts with the largest scores softmax(x·W) (arXiv 1701.06538, 2101.03961, 2401.04088).
 *
 * @param dim Width of a token.
 * @param experts How many there are to choose from.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function topKRouter(dim: number, experts: number, options: TopKRouterOptions = {}): Router<LinearRouterParams> {
  const { k = 2, score = 'softmax', normalize = k > 1, jitter = 0 } = options;
  checkNumber('topKRouter: dim', dim, { min: 1, integer: true });
  checkNumber('topKRouter: experts', experts, { min: 1, integer: true });
  checkNumber('topKRouter: k', k, { min: 1, max: experts, integer: true });
  checkNumber('topKRouter: jitter', jitter, { min: 0, max: 1 });
  return {
    experts,
    flopsPerToken: 2 * dim * experts,
    init: (key) => ({ weight: initialWeight(key, dim, experts) }),
    logits: ({ weight }, tokens, ctx) => tf.tidy(() => tf.matMul(jittered(tokens, jitter, ctx), weight)),
    select: (logits, tokens, options) => selectTopK(logits, { tokens, experts, k, score, normalize }, options),
    gates: (logits, plan) => deviceGates(logits, plan, score, normalize),
  };
}

function jittered(tokens: tf.Tensor, jitter: number, ctx: Context | undefined): tf.Tensor {
  if (jitter === 0 || !ctx?.train || ctx.key === undefined) return tokens;
  return tf.mul(tokens, randomUniform(ctx.key, tokens.shape, { min: 1 - jitter, max: 1 + jitter }));
}

/** What `selectTopK` needs to know. */
export interface TopKRule {
  readonly tokens: number;
  readonly experts: number;
  readonly k: number;
  readonly score: ScoreName;
  readonly normalize: boolean;
}

/** The k largest scores (plus bias) of each row; the earlier expert wins a tie. */
export function selectTopK(logits: Float32Array, rule: TopKRule, { bias }: SelectOptions = {}): Selection {
  const { tokens, experts, k, score, normalize } = rule;
  const scores = hostScores(logits, experts, score);
  const slots = new Int32Array(tokens * k);
  const gates = new Float32Array(tokens * k);
  const ranked = bias === undefined ? scores : Float64Array.from(scores, (s, i) => s + (bias[i % experts] ?? 0));
  const taken = new Uint8Array(experts);
  for (let t = 0, at = 0; t < tokens; t++) {
    const row = t * experts;
    for (let j = 0; j < k; j++) {
      let best = -1;
      for (let e = 0; e < experts; e++) {
        if (taken[e] === 0 && (best < 0 || ranked[row + e]! > ranked[row + best]!)) best = e;
      }
      taken[best] = 1;
    }
    for (let e = 0; e < experts; e++) {
      if (taken[e] === 0) continue;
      taken[e] = 0;
      slots[at] = row + e;
      gates[at++] = scores[row + e]!;
    }
  }
  if (normalize) normalizeHost(slots, gates, experts);
  return { slots, gates };
}
