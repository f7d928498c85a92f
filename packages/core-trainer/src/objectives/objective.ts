import type { Context, LossFunction, Module, Tree } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

/** Inputs of a model and what it should make of them. */
export type Examples<X extends Tree = tf.Tensor, Y extends Tree = tf.Tensor> = { readonly x: X; readonly y: Y };

/** A measure of success per example: [B]. */
export type Metric<Y extends Tree = tf.Tensor> = (output: tf.Tensor, y: Y) => tf.Tensor1D;

/**
 * What a model is asked to do: what to predict from raw data, how wrong a prediction is, and how to tell success.
 *
 * Each part can be replaced by itself: `{ ...classification(), loss: myLoss }`.
 */
export interface Objective<Raw extends Tree = Tree, X extends Tree = tf.Tensor, Y extends Tree = tf.Tensor> {
  /** What to predict, from raw data. The tensors are new or those of `raw`; call it in a tidy. */
  examples(raw: Raw): Examples<X, Y>;
  /** How wrong an output is: [B]. */
  loss(output: tf.Tensor, y: Y): tf.Tensor1D;
  /** What to report; the mean over the examples of an evaluation. */
  readonly metrics: Readonly<Record<string, Metric<Y>>>;
}

/**
 * The loss of a model on prepared examples, as gradient estimators take it: loss(apply(params, x), y).
 *
 * @param loss - Usually `objective.loss`.
 */
export function lossFunction<P extends Tree, X extends Tree = tf.Tensor, Y extends Tree = tf.Tensor>(
  module: Pick<Module<P, X, tf.Tensor>, 'apply'>,
  loss: (output: tf.Tensor, y: Y) => tf.Tensor1D,
): LossFunction<P, Examples<X, Y>> {
  return (params: P, { x, y }: Examples<X, Y>, ctx: Context) => loss(module.apply(params, x, ctx), y);
}
