import { type Context, FrugalError, type Key, type Labelled, type Tree } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { type ProbeAdviceOptions, probe, type Recommendation } from '../advice/probe.ts';
import { checkNumber } from '../errors.ts';
import type { Problem } from '../problem.ts';
import { tensorDataset } from './dataset.ts';

/** A tfjs model as a module: what `fromLayersModel` of `@frugal/nn/layers` makes. */
export interface ModuleOfModel {
  readonly model: tfl.LayersModel;
  apply(params: never, input: tf.Tensor, ctx?: Context): tf.Tensor;
  weights(): Tree;
  statistics(): Record<string, tf.Tensor>;
}

/** What a model learns from, as `fit` gets it. */
export interface LayersProblemOptions {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  /** Like `fit`'s. Default 32. */
  readonly batchSize?: number;
  /** How wrong an output is: a value per example, or their mean; the loss that the model was compiled with. */
  readonly loss: (output: tf.Tensor, y: tf.Tensor) => tf.Tensor;
  readonly key: Key;
}

/** A tfjs model on its data as a problem for any probe; its weights and statistics are only read. */
export function layersProblem(module: ModuleOfModel, options: LayersProblemOptions): Problem<Tree, Labelled> {
  const { x, y, batchSize = 32, loss, key } = options;
  checkNumber('batchSize', batchSize, { min: 1, integer: true });
  return {
    loss: (params, batch, ctx) => loss(module.apply(params as never, batch.x, ctx), batch.y),
    params: module.weights(),
    state: module.statistics(),
    data: tensorDataset(x, y, batchSize),
    key,
  };
}

/** Options of `adviseFit`. */
export interface AdviseFitOptions extends LayersProblemOptions, ProbeAdviceOptions {
  /** Told before the first batch. */
  readonly onAdvice?: (advice: Recommendation) => void;
}

type WithRate = tf.Optimizer & { learningRate?: number; setLearningRate?(rate: number): void };

function setRate(optimizer: WithRate, rate: number): void {
  // SGD and momentum keep the rate in a tensor too.
  if (optimizer.setLearningRate !== undefined) optimizer.setLearningRate(rate);
  else if (typeof optimizer.learningRate === 'number') optimizer.learningRate = rate;
  else {
    throw new FrugalError(
      'NO_LEARNING_RATE',
      `${optimizer.getClassName()} has no learning rate to set. Call probe before, and pass its schedule to the optimizer.`,
    );
  }
}

/** The callback of `adviseFit`; bound methods, for `fit` takes some callbacks apart. */
export class AdviseFit extends tfl.Callback {
  /** What was recommended, once `fit` has begun. */
  advice: Recommendation | undefined;

  constructor(module: ModuleOfModel, options: AdviseFitOptions) {
    super();
    let step = 0;
    this.onTrainBegin = async () => {
      step = 0;
      this.advice = await probe(layersProblem(module, options), options);
      options.onAdvice?.(this.advice);
    };
    this.onBatchBegin = async () => {
      setRate(module.model.optimizer as WithRate, this.advice!.schedule(step++));
    };
  }
}

/**
 * Finds the learning rate when `fit` begins, and sets the schedule before every batch: the rate that the model was compiled
 * with does not matter.
 *
 *     await model.fit(x, y, { batchSize, epochs, callbacks: [adviseFit(fromLayersModel(model), { x, y, batchSize, steps, … })] });
 *
 * @param options `optimizer` makes the optimizer that the model was compiled with, e.g. core-trainer's `adam` for
 *   `tf.train.adam`; `steps` are all batches of all epochs.
 * @throws {FrugalError} In `fit`: as `probe`; `NO_LEARNING_RATE` for an optimizer of tfjs that keeps none.
 */
export function adviseFit(module: ModuleOfModel, options: AdviseFitOptions): AdviseFit {
  return new AdviseFit(module, options);
}
