import { adam, cosine } from '@frugal/core-trainer';
import { toLayersOptimizer } from '@frugal/core-trainer/layers';
import { localOptimizer } from '@frugal/forward-grad/layers';
import { key } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

const { layers, initializers } = tfl;
const he = (seed: number) => initializers.heNormal({ seed });

/** A small convolutional net for MNIST, 11,274 parameters; tfjs cannot train it on wasm: its filters have no gradient there. */
export function convNet(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.conv2d({
        inputShape: [28, 28, 1],
        filters: 8,
        kernelSize: 5,
        strides: 2,
        activation: 'relu',
        kernelInitializer: he(1),
      }),
      layers.conv2d({ filters: 16, kernelSize: 5, strides: 2, activation: 'relu', kernelInitializer: he(2) }),
      layers.flatten(),
      layers.dense({ units: 10, activation: 'softmax', kernelInitializer: initializers.glorotNormal({ seed: 3 }) }),
    ],
  });
}

/** Guesses the next of 27 letters from the six before; 13,163 parameters. Embeddings have no gradient on wasm either. */
export function letterNet(): tfl.LayersModel {
  return tfl.sequential({
    layers: [
      layers.embedding({
        inputDim: 27,
        outputDim: 12,
        inputLength: 6,
        embeddingsInitializer: initializers.randomNormal({ stddev: 1, seed: 1 }),
      }),
      layers.flatten(),
      layers.dense({ units: 128, activation: 'relu', kernelInitializer: he(2) }),
      layers.dense({ units: 27, activation: 'softmax', kernelInitializer: initializers.glorotNormal({ seed: 3 }) }),
    ],
  });
}

/** How the weights of a model learn. */
export type Way = 'local' | 'frozen' | 'backprop';

/** Examples and their one-hot targets. */
export interface Pairs {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
}

/** Options of `fit`. */
export interface FitOptions {
  readonly epochs: number;
  readonly batchSize: number;
  /** The largest learning rate of Adam; it rises for 100 steps and falls along a cosine to 0. */
  readonly peak: number;
  /** Units that share a scalar, for `'local'`. */
  readonly groupSize: number;
}

/** Trains with `model.fit`; returns loss and accuracy on the test examples. */
export async function fit(
  model: tfl.LayersModel,
  way: Way,
  train: Pairs,
  test: Pairs,
  { epochs, batchSize, peak, groupSize }: FitOptions,
): Promise<{ loss: number; accuracy: number; seconds: number }> {
  const steps = epochs * Math.ceil(train.x.shape[0]! / batchSize);
  const inner = toLayersOptimizer(adam(cosine(peak, { warmup: Math.min(100, steps >> 2), steps }), { epsilon: 1e-8 }));
  // Frozen hidden layers are the control: an exact output layer on random features goes far.
  if (way === 'frozen') for (const layer of model.layers.slice(0, -1)) layer.trainable = false;
  const optimizer = way === 'backprop' ? inner : localOptimizer(model, inner, { key: key(4), groupSize });
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  const start = performance.now();
  await model.fit(train.x, train.y, { epochs, batchSize, verbose: 0, yieldEvery: 'never' });
  const seconds = (performance.now() - start) / 1000;
  const [loss, accuracy] = model.evaluate(test.x, test.y, { batchSize: 1000, verbose: 0 }) as tf.Scalar[];
  const result = { loss: (await loss!.data())[0]!, accuracy: (await accuracy!.data())[0]!, seconds };
  loss!.dispose();
  accuracy!.dispose();
  model.dispose();
  optimizer.dispose();
  return result;
}
