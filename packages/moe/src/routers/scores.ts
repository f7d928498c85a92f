import { gatherRows, type Key, randomNormal, scatterAddRows } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { DispatchPlan } from '../plan.ts';

/** How logits become scores: shares of one, each by itself (DeepSeek-V3), or as they are. */
export type ScoreName = 'softmax' | 'sigmoid' | 'identity';

/** Parameters of a linear router: `weight` [dim, experts]. */
export type LinearRouterParams = { readonly weight: tf.Tensor2D };

/** Small enough that routing starts almost uniform: normal, 0.1 / √dim. */
export function initialWeight(key: Key, dim: number, experts: number): tf.Tensor2D {
  return tf.tidy(() => tf.mul(randomNormal(key, [dim, experts]), 0.1 / Math.sqrt(dim))) as tf.Tensor2D;
}

/** Scores of each row on the host. */
export function hostScores(logits: Float32Array, experts: number, score: ScoreName): Float32Array {
  if (score === 'identity') return logits;
  const out = new Float32Array(logits.length);
  if (score === 'sigmoid') {
    for (let i = 0; i < logits.length; i++) out[i] = 1 / (1 + Math.exp(-logits[i]!));
    return out;
  }
  for (let row = 0; row < logits.length; row += experts) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let e = 0; e < experts; e++) largest = Math.max(largest, logits[row + e]!);
    let sum = 0;
    for (let e = 0; e < experts; e++) sum += out[row + e] = Math.exp(logits[row + e]! - largest);
    for (let e = 0; e < experts; e++) out[row + e]! /= sum;
  }
  return out;
}

/** The same scores on the device. */
export function deviceScores(logits: tf.Tensor, score: ScoreName): tf.Tensor {
  if (score === 'identity') return tf.clone(logits);
  return score === 'softmax' ? tf.softmax(logits) : tf.sigmoid(logits);
}

/** Divides the scores of chosen pairs by their sum for each token. */
export function normalizeHost(slots: Int32Array, gates: Float32Array, experts: number): void {
  for (let from = 0; from < slots.length; ) {
    const token = Math.floor(slots[from]! / experts);
    let [to, sum] = [from, 0];
    while (to < slots.length && slots[to]! < (token + 1) * experts) sum += gates[to++]!;
    while (from < to) gates[from++]! /= sum;
  }
}

/** Scores of the pairs of a plan as [pairs, 1]; normalised over all pairs that were chosen, as on the host. */
export function deviceGates(logits: tf.Tensor, plan: DispatchPlan, score: ScoreName, normalize: boolean): tf.Tensor {
  return tf.tidy(() => {
    const scores = tf.reshape(deviceScores(logits, score), [plan.tokens * plan.experts, 1]);
    const gates = gatherRows(scores, plan.slots);
    if (!normalize) return gates;
    const owner = plan.chosen.map((slot) => Math.floor(slot / plan.experts));
    const sums = scatterAddRows(
      { into: tf.zeros([plan.tokens, 1]), x: gatherRows(scores, plan.chosen) },
      { rows: owner },
    );
    return tf.div(gates, gatherRows(sums, plan.rows));
  });
}
