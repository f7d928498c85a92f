import { adam } from '@frugal/core-trainer';
import { toLayersOptimizer } from '@frugal/core-trainer/layers';
import { interpret, key, randomIntegers, randomNormal } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectClose } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { localOptimizer } from './local-optimizer.ts';

const { layers } = tfl;
const fitOptions = { batchSize: 16, shuffle: false, verbose: 0, yieldEvery: 'never' } as const;

/** Weights that do not depend on tfjs's random numbers. */
function seeded(model: tfl.LayersModel): tfl.LayersModel {
  for (const [i, weight] of model.weights.entries()) {
    const { val } = weight as unknown as { val: tf.Variable };
    const value = randomNormal(key(40 + i), val.shape, { sd: 0.4 });
    val.assign(value);
    value.dispose();
  }
  return model;
}

const convolutional = (): tfl.LayersModel =>
  seeded(
    tfl.sequential({
      layers: [
        layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, activation: 'relu' }),
        layers.maxPooling2d({ poolSize: 2 }),
        layers.conv2d({ filters: 4, kernelSize: 2, activation: 'relu' }),
        layers.flatten(),
        layers.dense({ units: 3, activation: 'softmax' }),
      ],
    }),
  );

const sequences = (): tfl.LayersModel =>
  seeded(
    tfl.sequential({
      layers: [
        layers.embedding({ inputDim: 7, outputDim: 5, inputLength: 4 }),
        layers.flatten(),
        layers.dense({ units: 16, activation: 'relu' }),
        layers.dropout({ rate: 0.1 }),
        layers.dense({ units: 3 }),
        layers.activation({ activation: 'softmax' }),
      ],
    }),
  );

/** Three patterns under noise, or sequences whose first token decides. */
function problem(kind: 'images' | 'tokens'): { x: tf.Tensor; y: tf.Tensor } {
  return tf.tidy(() => {
    const oneHot = (labels: tf.Tensor): tf.Tensor =>
      tf.cast(tf.oneHot(tf.cast(labels, 'int32') as tf.Tensor1D, 3), 'float32');
    if (kind === 'tokens') {
      const x = randomIntegers(key(1), [96, 4], { max: 7 });
      return { x: tf.cast(x, 'float32'), y: oneHot(tf.mod(tf.reshape(tf.slice(x, [0, 0], [96, 1]), [-1]), 3)) };
    }
    const labels = randomIntegers(key(3), [96], { max: 3 });
    const patterns = randomNormal(key(5), [3, 8, 8, 1]);
    return { x: tf.add(tf.gather(patterns, labels), randomNormal(key(1), [96, 8, 8, 1])), y: oneHot(labels) };
  });
}

describeEachBackend('localOptimizer', () => {
  it.each([
    ['a conv net, Adam of tfjs', convolutional, 'images', () => tf.train.adam(0.02, 0.9, 0.999, 1e-8)],
    ['embeddings, Adam of core-trainer', sequences, 'tokens', () => toLayersOptimizer(adam(0.02, { epsilon: 1e-8 }))],
  ] as const)('fits %s, without a backward kernel and without a leak', async (_, make, kind, inner) => {
    const start = tf.memory().numTensors;
    const model = make();
    const { x, y } = problem(kind);
    const optimizer = localOptimizer(model, inner(), { key: key(2), groupSize: 2 });
    model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
    const names = new Set<string>();
    await model.fit(x, y, { ...fitOptions, epochs: 1 });
    const before = tf.memory().numTensors;
    const batch = tf.tidy(() => [tf.slice(x, 0, 16), tf.slice(y, 0, 16)] as [tf.Tensor, tf.Tensor]);
    const kernel: Parameters<typeof interpret>[0]['kernel'] = (name, inputs, attrs, next) => {
      names.add(name);
      return next(name, inputs, attrs);
    };
    // One step, as fit makes it.
    const graph = (model as unknown as { model: { makeTrainFunction(): (data: tf.Tensor[]) => tf.Tensor[] } }).model;
    interpret({ kernel }, () => tf.dispose(graph.makeTrainFunction()(batch)));
    tf.dispose(batch);
    expect([...names].filter((name) => /^(?!Frugal).*(Grad|Backprop|UnsortedSegment)/.test(name))).toEqual([]);
    expect(names.size).toBeGreaterThan(5);
    const losses = (await model.fit(x, y, { ...fitOptions, epochs: 12 })).history.loss as number[];
    expect(losses.at(-1)!).toBeLessThan(0.6 * losses[0]!);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([x, y]);
    model.dispose();
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(start);
  });

  it('gives the output layer its exact gradient and a hidden layer that of its head, with groups of one', async () => {
    const x = randomNormal(key(1), [6, 4]);
    const y = randomNormal(key(3), [6, 2]);
    const model = seeded(
      tfl.sequential({
        layers: [layers.dense({ inputShape: [4], units: 5, activation: 'tanh' }), layers.dense({ units: 2 })],
      }),
    );
    const optimizer = localOptimizer(model, tf.train.sgd(1), { key: key(4), groupSize: 1 });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const values = (): tf.Tensor[] =>
      model.trainableWeights.map((w) => tf.clone((w as unknown as { val: tf.Variable }).val));
    const [w1, b1, w2, b2] = values() as [tf.Tensor2D, tf.Tensor1D, tf.Tensor2D, tf.Tensor1D];
    // The head as it is before the step: that of an optimizer with the same key which does not move it.
    const still = localOptimizer(model, tf.train.sgd(1e-30), { key: key(4), groupSize: 1 });
    model.compile({ optimizer: still, loss: 'meanSquaredError' });
    await model.trainOnBatch(x, y);
    const heads = Object.fromEntries(
      (await still.getWeights()).map(({ name, tensor }) => [name.split('/').at(-1)!, tensor]),
    );
    const head = heads.kernel as tf.Tensor2D;
    model.compile({ optimizer, loss: 'meanSquaredError' });
    await model.trainOnBatch(x, y);
    const after = values();
    const expected = tf.tidy(() => {
      const mse = (p: tf.Tensor): tf.Scalar => tf.mean(tf.square(tf.sub(p, y)));
      const hidden = (w: tf.Tensor, b: tf.Tensor): tf.Tensor2D =>
        tf.tanh(tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), b));
      const local = tf.grads((w: tf.Tensor, b: tf.Tensor) => mse(tf.matMul(hidden(w, b), head)))([w1, b1]);
      const product = (w: tf.Tensor): tf.Tensor => tf.matMul(hidden(w1, b1), w as tf.Tensor2D);
      const top = tf.grads((w: tf.Tensor, b: tf.Tensor) => mse(tf.add(product(w), b)))([w2, b2]);
      return [w1, b1, w2, b2].map((p, i) => tf.sub(p, [...local, ...top][i]!));
    });
    for (const [i, p] of expected.entries()) await expectClose(after[i]!, p);
    tf.dispose(expected);
    tf.dispose([x, y, w1, b1, w2, b2, ...after]);
    model.dispose();
    still.dispose();
    optimizer.dispose();
  });

  it('takes up where it stopped, heads included', async () => {
    const { x, y } = problem('tokens');
    const make = (): ReturnType<typeof localOptimizer> & { model: tfl.LayersModel } => {
      const model = seeded(
        tfl.sequential({
          layers: [
            layers.embedding({ inputDim: 7, outputDim: 5, inputLength: 4 }),
            layers.flatten(),
            layers.dense({ units: 3, activation: 'softmax' }),
          ],
        }),
      );
      const optimizer = localOptimizer(model, tf.train.sgd(0.1), { key: key(2) });
      model.compile({ optimizer, loss: 'categoricalCrossentropy' });
      return Object.assign(optimizer, { model });
    };
    const whole = make();
    const headOf = async (of: ReturnType<typeof make>): Promise<unknown> =>
      bitsOf(
        Object.fromEntries(
          (await of.getWeights()).filter(({ name }) => name.startsWith('frugal')).map((w) => [w.name, w.tensor]),
        ),
      );
    await whole.model.trainOnBatch(x, y);
    const again = make();
    await again.setWeights(await whole.getWeights());
    again.model.setWeights(whole.model.getWeights());
    await whole.model.trainOnBatch(x, y);
    await again.model.trainOnBatch(x, y);
    expect(await headOf(again)).toEqual(await headOf(whole));
    expect(await bitsOf(again.model.getWeights() as never)).toEqual(await bitsOf(whole.model.getWeights() as never));
    for (const { model } of [whole, again]) model.dispose();
    whole.dispose();
    again.dispose();
    tf.dispose([x, y]);
  });

  it('refuses what it cannot teach, and says what to do', async () => {
    const x = tf.zeros([2, 3]);
    const y = tf.zeros([2, 2]);
    const attempt = async (hidden: tfl.layers.Layer, loss: string, activation: 'linear' | 'softmax' = 'linear') => {
      const model = tfl.sequential({ layers: [hidden, layers.dense({ units: 2, activation })] });
      const optimizer = localOptimizer(model, tf.train.sgd(1), { key: key(1) });
      model.compile({ optimizer, loss });
      try {
        await model.trainOnBatch(x, y);
      } finally {
        model.dispose();
        optimizer.dispose();
      }
    };
    const dense = (): tfl.layers.Layer => layers.dense({ inputShape: [3], units: 2 });
    await expect(attempt(layers.batchNormalization({ inputShape: [3] }), 'meanSquaredError')).rejects.toThrow(
      /BatchNormalization.*gamma,beta.*trainable/,
    );
    await expect(attempt(dense(), 'meanAbsoluteError')).rejects.toThrow(/linear, meanAbsoluteError/);
    await expect(attempt(dense(), 'meanSquaredError', 'softmax')).rejects.toThrow(/softmax, meanSquaredError/);
    const decayed = layers.dense({ inputShape: [3], units: 2, kernelRegularizer: 'l1l2' });
    await expect(attempt(decayed, 'meanSquaredError')).rejects.toThrow(/regularizers/);
    const model = tfl.sequential({ layers: [dense()] });
    const optimizer = localOptimizer(model, tf.train.sgd(1), { key: key(1) });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    expect(() => optimizer.minimize(() => tf.scalar(1))).toThrow(/did not see the loss/);
    expect(() => localOptimizer(model, tf.train.sgd(1), { key: key(1), groupSize: 0 })).toThrow(/groupSize/);
    model.dispose();
    optimizer.dispose();
    tf.dispose([x, y]);
  });
});
