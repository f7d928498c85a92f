import {
  gatherRows,
  type LossFunction,
  layerwiseLoss,
  type Module,
  type OpenLesson,
  stopGradient,
  type Tree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Experts } from '../experts.ts';
import type { MoeLayer, MoeParams } from '../moe.ts';

/** Every expert on every token: [experts, tokens, out]. */
function allOutputs(experts: Experts, params: Tree, x: tf.Tensor): tf.Tensor3D {
  const [tokens, { count, out }] = [x.shape[0]!, experts];
  const pairs = tokens * count;
  const rows = Int32Array.from({ length: pairs }, (_, i) => i);
  const ends = Array.from({ length: count }, (_, e) => (e + 1) * tokens);
  const tiled = gatherRows(
    x,
    rows.map((i) => i % tokens),
  );
  // As tokens of their own, so that their outputs are not added up.
  return tf.reshape(experts.apply(params as never, tiled, { tokens: pairs, rows, ends }), [count, tokens, out]);
}

/**
 * ‖expert(x)‖₂ of every expert for every token: what a `normRouter` is trained to predict.
 *
 * @param x [tokens, dim].
 * @returns [tokens, experts].
 */
export function expertNorms(experts: Experts, params: Tree, x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.transpose(tf.norm(allOutputs(experts, params, x), 2, 2)) as tf.Tensor2D);
}

/** Reports how wrong the router is about the norms, and gives the sum of all experts, as the network had it before it was cut. */
export function teachRouter({ report }: OpenLesson, layer: MoeLayer, params: MoeParams, x: tf.Tensor): tf.Tensor {
  const seen = stopGradient(x);
  const outputs = stopGradient(allOutputs(layer.experts, params.experts, seen));
  const norms = tf.transpose(tf.norm(outputs, 2, 2));
  report(tf.mean(tf.squaredDifference(layer.router.logits(params.router, seen), norms), 1));
  const sum = tf.sum(outputs, 0);
  return params.bias === undefined ? sum : tf.add(sum, params.bias);
}

/**
 * Teaches the routers of a model whose experts were cut out of a dense network to predict the norm of each expert's output, by squared
 * error, on the tokens that the whole network has there; only routers get a gradient (arXiv 2310.04361).
 *
 * @param model With layers by `moe(normRouter(…), …)`, e.g. `expertBlock`, and parameters by `expertParams`.
 * @returns A loss [B] for any trainer; labels are not used.
 */
export function routerLoss<P extends Tree>(model: Module<P>): LossFunction<P> {
  return layerwiseLoss(model, { what: 'router' }) as LossFunction<P>;
}
