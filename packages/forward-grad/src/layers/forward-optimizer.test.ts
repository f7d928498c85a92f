import { adam } from '@frugal/core-trainer';
import { toLayersOptimizer } from '@frugal/core-trainer/layers';
import { interpret, key, randomNormal } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { spsa } from '../estimators/spsa.ts';
import { weightPerturbation } from '../estimators/weight-perturbation.ts';
import { forwardOptimizer } from './forward-optimizer.ts';

const inner: [string, () => tf.Optimizer][] = [
  ['Adam of tfjs', () => tf.train.adam(0.02, 0.9, 0.999, 1e-8)],
  ['Adam of core-trainer', () => toLayersOptimizer(adam(0.02, { epsilon: 1e-8 }))],
];

describeEachBackend('forwardOptimizer', () => {
  it.each(inner)('fits a convolutional LayersModel without a backward kernel: %s', async (_, make) => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ inputShape: [6, 6, 1], filters: 3, kernelSize: 3, activation: 'relu' }),
        tfl.layers.maxPooling2d({ poolSize: 2 }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 2 }),
      ],
    });
    for (const [i, weight] of model.getWeights().entries()) {
      const value = randomNormal(key(20 + i), weight.shape, { sd: 0.5 });
      (model.weights[i] as unknown as { val: tf.Variable }).val.assign(value);
      value.dispose();
    }
    const optimizer = forwardOptimizer(weightPerturbation({ directions: 16 }), make(), { key: key(3) });
    model.compile({ optimizer, loss: 'meanSquaredError', metrics: ['mae'] });
    const x = randomNormal(key(1), [24, 6, 6, 1]);
    const y = tf.tidy(() => tf.stack([tf.mean(x, [1, 2, 3]), tf.mean(tf.abs(x), [1, 2, 3])], 1));
    const names = new Set<string>();
    const kernel: Parameters<typeof interpret>[0]['kernel'] = (name, inputs, attrs, next) => {
      names.add(name);
      return next(name, inputs, attrs);
    };
    const options = { epochs: 15, batchSize: 24, shuffle: false, verbose: 0, yieldEvery: 'never' } as const;
    interpret({ kernel }, () => optimizer.minimize(() => lossOf(model, x, y), false, variablesOf(model)));
    expect([...names].filter((name) => /^(?!Frugal).*(Grad|Backprop)/.test(name))).toEqual([]);
    await model.fit(x, y, { ...options, epochs: 1 });

    const before = tf.memory().numTensors;
    const losses = (await model.fit(x, y, options)).history.loss as number[];
    expect(tf.memory().numTensors).toBe(before);
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
    tf.dispose([x, y]);
    model.dispose();
    optimizer.dispose();
  });

  it('minimizes what reads variables, by derivatives and by differences, and draws the same for the same key', async () => {
    await expectNoLeak(async () => {
      const ends: number[][] = [];
      for (const estimator of [weightPerturbation(), weightPerturbation(), spsa({ epsilon: 1e-2 })]) {
        const v = tf.tidy(() => tf.variable(tf.tensor2d([3, -2, 1, 4], [2, 2])));
        const optimizer = forwardOptimizer(estimator, tf.train.sgd(0.05), { key: key(5) });
        const f = (): tf.Scalar => tf.tidy(() => tf.sum(tf.square(v)));
        const cost = optimizer.minimize(f, true, [v])!;
        expect(Math.abs((await cost.data())[0]! - 30)).toBeLessThan(0.01);
        cost.dispose();
        for (let i = 0; i < 80; i++) optimizer.minimize(f, false, [v]);
        ends.push([...(await v.data())]);
        optimizer.dispose();
        v.dispose();
      }
      for (const end of ends) expect(Math.max(...end.map(Math.abs))).toBeLessThan(0.4);
      expect(ends[0]).toEqual(ends[1]);
      const optimizer = forwardOptimizer(spsa(), tf.train.sgd(1), { key: key(1) });
      expect(() => optimizer.getConfig()).toThrow(/includeOptimizer/);
      optimizer.dispose();
    });
  });
});

function variablesOf(model: tfl.Sequential): tf.Variable[] {
  return model.trainableWeights.map((weight) => (weight as unknown as { val: tf.Variable }).val);
}

function lossOf(model: tfl.Sequential, x: tf.Tensor, y: tf.Tensor): tf.Scalar {
  return tf.mean(tf.square(tf.sub(model.apply(x, { training: true }) as tf.Tensor, y)));
}
