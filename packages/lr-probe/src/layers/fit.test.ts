import { adam } from '@frugal/core-trainer';
import { fromLayersModel } from '@frugal/nn/layers';
import { key, randomNormal } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { criticalRate } from '../probes/critical-rate.ts';
import { adviseFit, layersProblem } from './index.ts';

const mse = (output: tf.Tensor, y: tf.Tensor): tf.Tensor => tf.mean(tf.square(tf.sub(output, y)), 1);

describeEachBackend('fit', () => {
  it('finds its rate, sets the schedule, and learns; the probe leaves the model as it was', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 12, activation: 'tanh', inputShape: [4] }),
        tfl.layers.batchNormalization(),
        tfl.layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: tf.train.adam(123), loss: 'meanSquaredError' });
    const x = randomNormal(key(1), [128, 4]);
    const y = tf.tidy(() => tf.sin(tf.sum(x, 1, true)));
    const module = fromLayersModel(model, { staged: false });
    const options = { x, y, batchSize: 16, loss: mse, key: key(2) };
    const before = await bitsOf(model.getWeights());
    await expectNoLeak(() => criticalRate(layersProblem(module as never, options), { optimizer: adam }));
    expect(await bitsOf(model.getWeights())).toEqual(before);

    const seen: number[] = [];
    const callback = adviseFit(module as never, {
      ...{ ...options, optimizer: adam, steps: 48 },
      onAdvice: ({ rate }) => seen.push(rate),
    });
    const { history } = await model.fit(x, y, { batchSize: 16, epochs: 6, verbose: 0, callbacks: [callback] });
    expect(seen).toEqual([callback.advice!.rate]);
    expect((model.optimizer as unknown as { learningRate: number }).learningRate).toBe(callback.advice!.schedule(47));
    const losses = history.loss as number[];
    expect(losses.at(-1)).toBeLessThan(0.6 * losses[0]!);
    model.dispose();
    tf.dispose([x, y]);
  }, 60_000);
});
