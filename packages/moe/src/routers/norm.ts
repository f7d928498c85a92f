import { foldIn, randomNormal } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../check.ts';
import type { Router } from '../router.ts';
import { selectDynamicK } from './dynamic-k.ts';
import { selectTopK } from './top-k.ts';

/** Parameters of `normRouter`: dim → width → experts. */
export type NormRouterParams = {
  readonly w1: tf.Tensor2D;
  readonly b1: tf.Tensor1D;
  readonly w2: tf.Tensor2D;
  readonly b2: tf.Tensor1D;
};

/** Options of `normRouter`. */
export interface NormRouterOptions {
  /** Hidden width. Default 16. */
  width?: number;
  /** Chooses experts whose predicted norm is ≥ (1 − τ) · the largest; every call may choose another one. Default 0.9. */
  tau?: number;
  /** A fixed number of experts instead (MoEfication). */
  k?: number;
}

/**
 * Predicts the norm of each expert's output, |r(x)|, and chooses those that are not small; all gates are 1.
 *
 * For experts cut out of a dense network (arXiv 2310.04361): train it on `expertNorms` by squared error, the experts frozen.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function normRouter(dim: number, experts: number, options: NormRouterOptions = {}): Router<NormRouterParams> {
  const { width = 16, tau = 0.9, k } = options;
  checkNumber('normRouter: width', width, { min: 1, integer: true });
  checkNumber('normRouter: tau', tau, { min: 0, max: 1 });
  if (k !== undefined) checkNumber('normRouter: k', k, { min: 1, max: experts, integer: true });
  return {
    experts,
    flopsPerToken: 2 * dim * width + 2 * width + 2 * width * experts + 2 * experts,
    init: (key) => ({
      w1: randomNormal(foldIn(key, 0), [dim, width], { sd: Math.sqrt(2 / dim) }) as tf.Tensor2D,
      b1: tf.zeros([width]),
      w2: randomNormal(foldIn(key, 1), [width, experts], { sd: Math.sqrt(1 / width) }) as tf.Tensor2D,
      b2: tf.ones([experts]),
    }),
    logits: ({ w1, b1, w2, b2 }, tokens) =>
      tf.tidy(() => {
        const hidden = tf.relu(tf.add(tf.matMul(tokens as tf.Tensor2D, w1), b1));
        return tf.abs(tf.add(tf.matMul(hidden as tf.Tensor2D, w2), b2));
      }),
    select(logits, tokens, options) {
      const { slots } =
        k === undefined
          ? selectDynamicK(logits, { experts, rule: 'max', score: 'identity', tau }, options)
          : selectTopK(logits, { tokens, experts, k, score: 'identity', normalize: false }, options);
      return { slots, gates: new Float32Array(slots.length).fill(1) };
    },
    gates: () => undefined,
  };
}
