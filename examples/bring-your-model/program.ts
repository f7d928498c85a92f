import { adamw, type CheckpointStore, cosine, type Listener } from '@frugal/core-trainer';
import { listenToFit, meterFit, resumeFit, saveCheckpoints, toLayersOptimizer } from '@frugal/core-trainer/layers';
import type { Meter } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** Inputs and targets as `model.fit` takes them. */
export interface Data {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
}

/** What the program needs beside its data. */
export interface FitOptions {
  readonly epochs: number;
  readonly batchSize: number;
  /** Where checkpoints go, and where it goes on from. */
  readonly store: CheckpointStore;
  readonly meter: Meter;
  readonly listeners: readonly Listener[];
  /** Epochs after which the power fails. */
  readonly powerFailure?: number;
}

/** The model as you have it, untouched. */
export function myModel(): tfl.LayersModel {
  const start = (seed: number) => tfl.initializers.heNormal({ seed });
  return tfl.sequential({
    layers: [
      tfl.layers.flatten({ inputShape: [28, 28, 1] }),
      tfl.layers.dense({ units: 256, activation: 'relu', kernelInitializer: start(1) }),
      tfl.layers.dense({ units: 10, activation: 'softmax', kernelInitializer: start(2) }),
    ],
  });
}

/** Your program. The lines with a mark are the ones that were added. */
export async function myProgram(data: Data, options: FitOptions): Promise<tfl.LayersModel> {
  const { epochs, batchSize, store, meter, listeners } = options;
  const steps = epochs * Math.ceil(data.x.shape[0]! / batchSize);

  const model = myModel();
  model.compile({
    optimizer: toLayersOptimizer(adamw(cosine(3e-3, { warmup: 50, steps }))), // + was: tf.train.adam(1e-3)
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  await model.fit(data.x, data.y, {
    ...(await resumeFit(model, store)), // + goes on from the last checkpoint, if there is one
    epochs: options.powerFailure ?? epochs,
    batchSize,
    shuffle: false, // the examples come shuffled, so that two runs can be compared bit for bit
    verbose: 0,
    callbacks: [
      meterFit(model, meter), // + FLOPs, bytes, seconds, watt-hours
      listenToFit(model, listeners), // + progress bar
      saveCheckpoints(model, store), // + weights and optimizer, every epoch
    ],
  });
  return model;
}
