import * as tf from '@tensorflow/tfjs-core';
import type { BoostLayer, BoostParams } from '../boost.ts';
import type { BoostPlan } from '../plan.ts';

/**
 * A boosted layer computed the expensive way: all learners on all tokens, what was not planned multiplied by zero.
 *
 * @returns [tokens, out]; x [tokens, dim].
 */
export function denseReference(layer: BoostLayer, params: BoostParams, x: tf.Tensor2D, plan: BoostPlan): tf.Tensor {
  return tf.tidy(() => {
    const shares = Float32Array.from({ length: plan.tokens * plan.learners }, (_, i) =>
      Number(i % plan.learners < plan.counts[Math.floor(i / plan.learners)]!),
    );
    const all = layer.learners.shared(params.learners, x, tf.tensor2d(shares, [plan.tokens, plan.learners]));
    return tf.add(all, params.bias);
  });
}
