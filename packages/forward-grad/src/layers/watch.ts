import { FrugalError, type Key, randomSigns, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { findLayers } from '../activity/layers.ts';
import { StagePass } from '../local/stage-pass.ts';
import type { LayerInternals, ModelInternals } from './internals.ts';

/** What one run of the model's loss showed. */
export interface Observation {
  readonly cost: tf.Scalar;
  readonly targets: tf.Tensor;
  readonly predictions: tf.Tensor;
  /** The layers that learn, in the order in which they ran; the caller disposes them. */
  readonly passes: readonly { readonly layer: LayerInternals; readonly pass: StagePass }[];
}

/** `'kernel'` of the weight `'dense_1/kernel'`. */
const partOf = (weight: { readonly originalName: string }): string => weight.originalName.split('/').at(-1)!;

/** The weights of a layer by name, a variable each. */
const weightsOf = (layer: LayerInternals): Tree =>
  Object.fromEntries(layer.trainableWeights.map((weight) => [partOf(weight), weight.read()]));

/** @throws {FrugalError} `UNSUPPORTED_LAYER` unless the layer is a product with one weight and at most a bias. */
function checkLayer(layer: LayerInternals): void {
  const { layers, others } = findLayers(weightsOf(layer));
  if (layers.length === 1 && others.length === 0) return;
  throw new FrugalError(
    'UNSUPPORTED_LAYER',
    `localOptimizer cannot teach layer '${layer.name}' (${layer.getClassName()}), which has the weights ` +
      `[${layer.trainableWeights.map(partOf)}]; it needs dense layers, convolutions and embeddings. ` +
      'Set its `trainable` to false before compile.',
  );
}

/**
 * Runs `f`, the loss of `fit`, and moves the output of every layer that learns while it runs.
 *
 * @param noise The key of a layer's signs, by its place; undefined: it moves by 1 everywhere.
 * @throws {FrugalError} `UNSUPPORTED_LAYER`, `UNSUPPORTED_MODEL`; `NO_TARGETS` if `f` is not the loss of this model.
 */
export function watch(
  model: ModelInternals,
  learners: readonly LayerInternals[],
  f: () => tf.Scalar,
  noise: (place: number) => Key | undefined,
): Observation {
  for (const layer of learners) checkLayer(layer);
  const passes: { layer: LayerInternals; pass: StagePass }[] = [];
  const seen: { targets?: tf.Tensor; predictions?: tf.Tensor } = {};
  const [loss] = model.lossFunctions;
  model.lossFunctions[0] = (targets, predictions) => {
    Object.assign(seen, { targets, predictions });
    return loss!(targets, predictions);
  };
  for (const [place, layer] of learners.entries()) {
    const { call } = layer;
    layer.call = (inputs, kwargs) => {
      if (passes.some((done) => done.layer === layer)) {
        throw new FrugalError(
          'UNSUPPORTED_LAYER',
          `Layer '${layer.name}' runs twice in model '${model.name}'; localOptimizer teaches layers that run once.`,
        );
      }
      const stage = {
        name: layer.name,
        params: (weights: Tree) => weights,
        apply: () => call.call(layer, inputs, kwargs) as tf.Tensor,
      };
      const input = Array.isArray(inputs) ? inputs[0]! : inputs;
      const moved = noise(place);
      const u = (rows: number, columns: number): tf.Tensor =>
        moved === undefined ? tf.fill([rows, columns], 1) : randomSigns(moved, [rows, columns]);
      const pass = new StagePass(stage as never, weightsOf(layer), input, { train: true }, u);
      passes.push({ layer, pass });
      return pass.h;
    };
  }
  try {
    const cost = f();
    const { targets, predictions } = seen;
    if (targets !== undefined && predictions !== undefined) return { cost, targets, predictions, passes };
    throw new FrugalError(
      'NO_TARGETS',
      `localOptimizer did not see the loss of model '${model.name}': compile that model with it, and use fit or trainOnBatch.`,
    );
  } catch (error) {
    for (const { pass } of passes) pass.dispose();
    throw error;
  } finally {
    model.lossFunctions[0] = loss!;
    for (const layer of learners) delete (layer as Partial<LayerInternals>).call;
  }
}
