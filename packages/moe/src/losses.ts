import { scatterAddRows } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { DispatchPlan } from './plan.ts';

/** Shares of chosen pairs by expert, before drops [experts]. */
function loadShares(plan: DispatchPlan): Float32Array {
  const counts = new Float32Array(plan.experts);
  for (const slot of plan.chosen) counts[slot % plan.experts]!++;
  return counts.map((count) => count / Math.max(1, plan.chosen.length));
}

/**
 * Switch's balance loss, N · Σ f(e) · P(e): f the share of pairs of an expert, P its mean softmax (arXiv 2101.03961).
 *
 * 1 where the load is even, N where one expert has everything. The gradient flows through P. Usual weight: 1e-2.
 *
 * @param logits [tokens, experts] of the router, differentiable.
 * @returns A scalar.
 */
export function switchLoss(logits: tf.Tensor, plan: DispatchPlan): tf.Scalar {
  return tf.tidy(() => {
    const mean = tf.mean(tf.softmax(logits), 0);
    return tf.mul(tf.sum(tf.mul(mean, tf.tensor1d(loadShares(plan)))), plan.experts) as tf.Scalar;
  });
}

/** mean (log Σ exp logits)², which keeps logits small (ST-MoE, arXiv 2202.08906). Usual weight: 1e-3. */
export function zLoss(logits: tf.Tensor): tf.Scalar {
  return tf.tidy(() => tf.mean(tf.square(tf.logSumExp(logits, -1)))) as tf.Scalar;
}

/** Var(v) ÷ mean(v)². */
function squaredVariation(v: tf.Tensor): tf.Scalar {
  const mean = tf.mean(v);
  return tf.div(tf.mean(tf.square(tf.sub(v, mean))), tf.square(mean)) as tf.Scalar;
}

/**
 * CV² of importance, the sum of the gates of each expert over the batch (arXiv 1701.06538). Usual weight: 0.1.
 *
 * 0 where all experts count alike, N − 1 where one expert has everything.
 *
 * @param gates `router.gates(logits, plan)` [pairs, 1], differentiable; at least one pair.
 */
export function importanceLoss(gates: tf.Tensor, plan: DispatchPlan): tf.Scalar {
  return tf.tidy(() => {
    const rows = plan.slots.map((slot) => slot % plan.experts);
    return squaredVariation(scatterAddRows({ into: tf.zeros([plan.experts, 1]), x: gates }, { rows }));
  });
}

/**
 * CV² of the load by the differentiable estimate of noisy top-k gating (arXiv 1701.06538, appendix A):
 *
 *     load(e) = Σ Φ((clean(e) − threshold(e)) ÷ deviation(e))
 *
 * the chance that expert e is among the first k if its own noise were drawn again; the threshold is the k-th largest of
 * the other noisy logits.
 *
 * @param parts `noisyParts` of the router [tokens, experts] each, differentiable.
 * @param plan Made from the same noisy logits; every token has the same number of experts.
 */
export function loadLoss(
  { clean, noisy, deviation }: { clean: tf.Tensor; noisy: tf.Tensor; deviation: tf.Tensor },
  plan: DispatchPlan,
): tf.Scalar {
  return tf.tidy(() => {
    const k = Math.round(plan.chosen.length / Math.max(1, plan.tokens));
    const mask = new Float32Array(plan.tokens * plan.experts);
    for (const slot of plan.chosen) mask[slot] = 1;
    const chosen = tf.tensor2d(mask, [plan.tokens, plan.experts]);
    // The k-th largest of all is the smallest chosen, the next one the largest of the rest.
    const far = tf.mul(chosen, -1e30);
    const inside = tf.min(tf.add(noisy, tf.mul(tf.sub(1, chosen), 1e30)), 1, true);
    const outside = k === plan.experts ? tf.mul(inside, 0) : tf.max(tf.add(noisy, far), 1, true);
    const threshold = tf.add(tf.mul(chosen, outside), tf.mul(tf.sub(1, chosen), inside));
    const z = tf.div(tf.sub(clean, threshold), tf.mul(deviation, Math.SQRT2));
    return squaredVariation(tf.sum(tf.mul(tf.add(tf.erf(z), 1), 0.5), 0));
  });
}
