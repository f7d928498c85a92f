import type { Router } from '@frugal/moe';
import { gatherRows, randomNormal } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Softmax of one row. */
function shares(logits: Float32Array, from: number, experts: number): number[] {
  const row = Array.from(logits.subarray(from, from + experts));
  const largest = Math.max(...row);
  const powers = row.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/**
 * The best expert, and the second best only where the router hesitates: where its share is within `tau` of the best.
 *
 * The idea of adaptive gating (arXiv 2310.07188); gates are the shares themselves.
 */
export function hesitantRouter(
  dim: number,
  experts: number,
  { tau: margin = 0.2 } = {},
): Router<{ weight: tf.Tensor2D }> {
  return {
    experts,
    flopsPerToken: 2 * dim * experts,
    init: (key) => ({ weight: randomNormal(key, [dim, experts], { sd: 1 / Math.sqrt(dim) }) as tf.Tensor2D }),
    logits: ({ weight }, tokens) => tf.matMul(tokens as tf.Tensor2D, weight),
    select(logits, tokens, { bias, tau = margin } = {}) {
      const [slots, gates]: [number[], number[]] = [[], []];
      for (let t = 0; t < tokens; t++) {
        const share = shares(logits, t * experts, experts);
        const score = (e: number): number => share[e]! + (bias?.[e] ?? 0);
        const [first, second] = [...share.keys()].sort((a, b) => score(b) - score(a) || a - b) as [number, number];
        const chosen = score(second) >= (1 - tau) * score(first) ? [first, second].sort((a, b) => a - b) : [first];
        for (const e of chosen) {
          slots.push(t * experts + e);
          gates.push(share[e]!);
        }
      }
      return { slots: Int32Array.from(slots), gates: Float32Array.from(gates) };
    },
    gates: (logits, plan) =>
      tf.tidy(() => gatherRows(tf.reshape(tf.softmax(logits), [plan.tokens * experts, 1]), plan.slots)),
  };
}
