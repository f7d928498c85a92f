import { key, randomNormal } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { watchFit } from './index.ts';

function network(activation: 'relu' | 'tanh' = 'relu'): tfl.LayersModel {
  const model = tfl.sequential({
    layers: [tfl.layers.dense({ units: 16, activation, inputShape: [4] }), tfl.layers.dense({ units: 1 })],
  });
  model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
  return model;
}

describeEachBackend('zeros during fit', () => {
  it('are in the history, after every epoch, and are what the model shows at the end', async () => {
    const [x, y] = [randomNormal(key(1), [64, 4]), randomNormal(key(2), [64, 1])];
    const model = network();
    // The first fit makes the optimizer's and the model's own tensors.
    await model.fit(x, y, { epochs: 1, batchSize: 16, verbose: 0 });
    await expectNoLeak(async () => {
      for (const first of [[], [{ onBatchEnd: async () => {} }]]) {
        const watch = watchFit(model, x);
        const callbacks = [...first, watch] as tfl.CustomCallbackArgs[];
        const { history } = await model.fit(x, y, { epochs: 3, batchSize: 16, verbose: 0, callbacks });
        expect(watch.samples.map(({ epoch }) => epoch)).toEqual([-1, 0, 1, 2]);
        expect(history['zeros']).toEqual(watch.samples.slice(1).map(({ report }) => report.zeroFraction));
        const [weight, bias] = model.layers[0]!.getWeights();
        const hidden = tf.tidy(() => tf.relu(tf.add(tf.matMul(x as tf.Tensor2D, weight as tf.Tensor2D), bias!)));
        const zeros = (await hidden.data()).filter((value) => value === 0).length;
        expect(watch.samples.at(-1)!.report.layers[0]!.zeros).toBe(zeros);
        expect(history['deadUnits']).toHaveLength(3);
        hidden.dispose();
      }
    });
    tf.dispose([x, y]);
    model.dispose();
  });

  it('looks as often as asked, at other activations where they are named', async () => {
    const [x, y] = [randomNormal(key(1), [64, 4]), randomNormal(key(2), [64, 1])];
    const model = network('tanh');
    const watch = watchFit(model, x, {
      every: 2,
      threshold: 0.1,
      select: (kernel) => (kernel === 'Tanh' ? 'tanh' : undefined),
    });
    await model.fit(x, y, { epochs: 4, batchSize: 32, verbose: 0, callbacks: [watch] });
    expect(watch.samples.map(({ epoch }) => epoch)).toEqual([-1, 1, 3]);
    expect(watch.samples[0]!.report.layers[0]!).toMatchObject({ activation: 'tanh', values: 64 * 16 });
    expect(watch.samples[0]!.report.zeroFraction).toBeGreaterThan(0);
    await expect(model.fit(x, y, { epochs: 1, verbose: 0, callbacks: [watchFit(model, x)] })).rejects.toMatchObject({
      code: 'NO_ACTIVATIONS',
    });
    tf.dispose([x, y]);
    model.dispose();
  });
});
