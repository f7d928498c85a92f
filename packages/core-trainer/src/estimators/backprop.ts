import type { Context, Estimate, GradientEstimator, Key, LossFunction, Tree } from '@frugal/tensor';
import { valueAndGrad } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/**
 * The exact gradient of the mean loss, by reverse-mode differentiation.
 *
 * grads = ∂/∂params (1/B) Σᵦ loss(params, batch, ctx)ᵦ
 *
 * @returns An estimator; what it returns belongs to the caller. Parameters must be float32.
 * @throws {FrugalError} When called: `NO_GRADIENT` naming a kernel that has no gradient, `NOT_FLOAT` naming a parameter.
 */
export function backprop(): GradientEstimator {
  return <P extends Tree, B>(
    loss: LossFunction<P, B>,
    params: P,
    batch: B,
    key: Key,
    ctx: Omit<Context, 'key'> = { train: true },
  ): Estimate => {
    const [value, grads] = valueAndGrad((p: P) => tf.mean(loss(p, batch, { ...ctx, key })))(params);
    return { loss: value, grads };
  };
}
