import type { Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExpertKind, ExpertsParams } from '../experts.ts';
import type { MoeLayer, MoeParams } from '../moe.ts';
import type { DispatchPlan } from '../plan.ts';

/** Expert `e` over all rows, out of stock operations. */
function expert(kind: ExpertKind, params: ExpertsParams, e: number, x: tf.Tensor): tf.Tensor {
  const of = (stack: tf.Tensor): tf.Tensor => tf.squeeze(tf.slice(stack, e, 1), [0]);
  const gelu = (z: tf.Tensor): tf.Tensor =>
    tf.mul(
      tf.mul(z, 0.5),
      tf.add(tf.tanh(tf.mul(tf.add(z, tf.mul(tf.pow(z, 3), 0.044715)), Math.sqrt(2 / Math.PI))), 1),
    );
  const act = { relu: tf.relu, reglu: tf.relu, gelu, geglu: gelu, swiglu: (z: tf.Tensor) => tf.mul(z, tf.sigmoid(z)) };
  const first = tf.matMul(x, of(params.w1));
  if ('b1' in params) {
    const hidden = act[kind](tf.add(first, of(params.b1)));
    return tf.add(tf.matMul(hidden, of(params.w2)), of(params.b2));
  }
  return tf.matMul(tf.mul(act[kind](first), tf.matMul(x, of(params.w3))), of(params.w2));
}

/**
 * What a layer must compute, the expensive way: every expert on every token, times a matrix of gates that is zero where
 * nothing was chosen. Stock operations, differentiable: an oracle for values and gradients.
 */
export function denseReference<R extends Tree>(
  layer: MoeLayer<R>,
  params: MoeParams<R>,
  x: tf.Tensor,
  plan: DispatchPlan,
): tf.Tensor {
  return tf.tidy(() => {
    const { router, experts, shared, dim } = layer;
    const tokens = tf.reshape(x, [-1, dim]);
    const gates = router.gates(router.logits(params.router, tokens), plan) ?? tf.ones([plan.rows.length, 1]);
    const owner = tf.oneHot(tf.tensor1d(plan.rows, 'int32'), plan.tokens);
    const column = tf.oneHot(
      tf.tensor1d(
        plan.slots.map((slot) => slot % plan.experts),
        'int32',
      ),
      plan.experts,
    );
    const matrix = tf.matMul(tf.cast(owner, 'float32'), tf.mul(tf.cast(column, 'float32'), gates), true);
    let y: tf.Tensor = tf.zerosLike(tokens);
    for (let e = 0; e < plan.experts; e++) {
      y = tf.add(y, tf.mul(tf.slice(matrix, [0, e], [-1, 1]), expert(experts.kind, params.experts, e, tokens)));
    }
    if (shared !== undefined) y = tf.add(y, expert(shared.kind, params.shared!, 0, tokens));
    if (params.bias !== undefined) y = tf.add(y, params.bias);
    return tf.reshape(y, x.shape);
  });
}
