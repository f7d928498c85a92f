import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/** The call of a layer, which may stand on the instance instead of the prototype. */
export type LayerCall = (inputs: tf.Tensor | tf.Tensor[], kwargs: Record<string, unknown>) => tf.Tensor | tf.Tensor[];

/** What of a layer of tfjs-layers 4.22 this folder reaches into: its types hide these members. */
export interface LayerInternals {
  readonly name: string;
  readonly trainableWeights: readonly { readonly originalName: string; read(): tf.Tensor }[];
  /** A nested model's layers. */
  readonly layers?: readonly LayerInternals[];
  readonly activation?: { getClassName(): string };
  call: LayerCall;
  getClassName(): string;
}

/** A loss of `compile`: one number per example of targets and predictions. */
export type LayersLoss = (targets: tf.Tensor, predictions: tf.Tensor) => tf.Tensor;

/** What of a model this folder reaches into. */
export interface ModelInternals {
  readonly name: string;
  readonly layers: readonly LayerInternals[];
  readonly loss: unknown;
  readonly lossFunctions: LayersLoss[];
  calculateLosses(): tf.Scalar[];
}

/** The graph that `fit` runs: a `Sequential` keeps it inside. */
export function graphOf(model: tfl.LayersModel): ModelInternals {
  return (model as unknown as { model?: ModelInternals }).model ?? (model as unknown as ModelInternals);
}

/** All layers that compute something, those of nested models in their place. */
export function leafLayers(layers: readonly LayerInternals[]): LayerInternals[] {
  return layers.flatMap((layer) => (layer.layers === undefined ? [layer] : leafLayers(layer.layers)));
}
