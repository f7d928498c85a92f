import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type CrossEntropyOptions, softmaxCrossEntropy } from '../losses/index.ts';
import { accuracy } from './labelled.ts';
import type { Objective } from './objective.ts';

/** Raw data of `nextToken`: int32 tokens [B, T + 1], bare or under the name `tokens`. */
export type Tokens = tf.Tensor | { readonly tokens: tf.Tensor };

/**
 * Each token from those before it: x is [B, T] without the last, y is [B, T] without the first.
 *
 * Losses are in nats per token: e to their mean is the perplexity. Reports accuracy.
 *
 * @throws {FrugalError} `SHAPE_MISMATCH` from `examples` unless the tokens are a matrix with two columns or more.
 */
export function nextToken(options: CrossEntropyOptions = {}): Objective<Tokens> {
  return {
    examples: (raw) => {
      const tokens = raw instanceof tf.Tensor ? raw : raw.tokens;
      const [batch, length] = tokens.shape as [number, number];
      if (tokens.rank !== 2 || length < 2) {
        throw new FrugalError(
          'SHAPE_MISMATCH',
          `nextToken: tokens must be [B, T + 1] with T ≥ 1, got [${tokens.shape}]. Cut the text into windows.`,
        );
      }
      return {
        x: tf.slice(tokens, [0, 0], [batch, length - 1]),
        y: tf.slice(tokens, [0, 1], [batch, length - 1]),
      };
    },
    loss: (logits, y) => softmaxCrossEntropy(logits, y, options),
    metrics: { accuracy },
  };
}
