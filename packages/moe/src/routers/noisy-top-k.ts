import { foldIn, type Key, randomNormal } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../check.ts';
import type { Router } from '../router.ts';
import { deviceGates, initialWeight } from './scores.ts';
import { selectTopK } from './top-k.ts';

/** Parameters of `noisyTopKRouter`: `weight` and `noise`, both [dim, experts]. */
export type NoisyRouterParams = { readonly weight: tf.Tensor2D; readonly noise: tf.Tensor2D };

/** Options of `noisyTopKRouter`. */
export interface NoisyTopKRouterOptions {
  /** Experts per token. Default 2. */
  k?: number;
}

/**
 * Top-k of x·W + ε · softplus(x·N), ε standard normal by key, in training; without noise at inference (arXiv 1701.06538).
 *
 * Gates are the softmax over the chosen logits. N starts at 0, so that the noise starts at ln 2.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function noisyTopKRouter(
  dim: number,
  experts: number,
  options: NoisyTopKRouterOptions = {},
): Router<NoisyRouterParams> {
  const { k = 2 } = options;
  checkNumber('noisyTopKRouter: dim', dim, { min: 1, integer: true });
  checkNumber('noisyTopKRouter: experts', experts, { min: 1, integer: true });
  checkNumber('noisyTopKRouter: k', k, { min: 1, max: experts, integer: true });
  const rule = { experts, k, score: 'softmax', normalize: true } as const;
  return {
    experts,
    flopsPerToken: 2 * dim * experts,
    init: (key) => ({ weight: initialWeight(foldIn(key, 0), dim, experts), noise: tf.zeros([dim, experts]) }),
    logits: ({ weight, noise }, tokens, ctx) =>
      ctx?.train && ctx.key !== undefined
        ? tf.tidy(() => noisyParts({ weight, noise }, tokens, ctx.key!).noisy)
        : tf.matMul(tokens as tf.Tensor2D, weight),
    select: (logits, tokens, options) => selectTopK(logits, { ...rule, tokens }, options),
    gates: (logits, plan) => deviceGates(logits, plan, 'softmax', true),
  };
}

/** What `loadLoss` is made from, [tokens, experts] each; the caller owns them. */
export interface NoisyParts {
  readonly clean: tf.Tensor;
  readonly noisy: tf.Tensor;
  readonly deviation: tf.Tensor;
}

/** The logits of a noisy router apart from their noise, for the key of a training context. */
export function noisyParts({ weight, noise }: NoisyRouterParams, tokens: tf.Tensor, key: Key): NoisyParts {
  return tf.tidy(() => {
    const clean = tf.matMul(tokens as tf.Tensor2D, weight);
    const deviation = tf.softplus(tf.matMul(tokens as tf.Tensor2D, noise));
    return { clean, noisy: tf.add(clean, tf.mul(randomNormal(key, clean.shape), deviation)), deviation };
  });
}
