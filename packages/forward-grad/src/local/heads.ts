import { FrugalError, foldIn, type Key, randomNormal, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { singleLayer } from '../activity/layers.ts';
import type { Head } from './signal.ts';

/** The model's parameters with a linear head for each hidden stage but the last, whose head is the output stage. */
export type LocalParams<P extends Tree> = { readonly model: P; readonly heads: readonly Head[] };

/** @throws {FrugalError} `UNSUPPORTED_MODEL` if there is no hidden stage. */
export function checkStages(model: Staged): void {
  if (model.stages.length >= 2) return;
  throw new FrugalError(
    'UNSUPPORTED_MODEL',
    `localLearning needs a model of at least two stages (hidden ones and the output), got ${model.stages.length}.`,
  );
}

/** The output stage's weight, [units, classes]. */
export function outputWeight<P extends Tree>(model: Staged<P>, params: P): tf.Tensor2D {
  const stage = model.stages.at(-1)!;
  const { weight } = singleLayer(stage.name, stage.params(params));
  if (weight.rank === 2) return weight as tf.Tensor2D;
  throw new FrugalError(
    'UNSUPPORTED_MODEL',
    `The last stage '${stage.name}' must be a dense layer [units, classes], its weight is [${weight.shape}].`,
  );
}

/** Heads N(0, 1/units) for the hidden stages but the last; their sizes are found by running the model on one example. */
export function initHeads<P extends Tree>(
  model: Staged<P>,
  params: P,
  inputShape: readonly number[],
  key: Key,
): Head[] {
  const classes = outputWeight(model, params).shape[1];
  const units = tf.tidy(() => {
    let h: tf.Tensor = tf.zeros([1, ...inputShape]);
    return model.stages.slice(0, -2).map((stage) => {
      h = stage.apply(params, h);
      return h.size;
    });
  });
  return units.map((count, i) => ({
    weight: randomNormal(foldIn(key, i), [count, classes], { sd: Math.sqrt(1 / count) }) as tf.Tensor2D,
    bias: tf.zeros([classes]) as tf.Tensor1D,
  }));
}
