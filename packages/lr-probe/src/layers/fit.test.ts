import { adam } from '@frugal/core-trainer';
import { fromLayersModel } from '@frugal/nn/layers';
import { key, randomNormal } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { noiseScale } from '../noise/noise-scale.ts';
import { criticalRate } from '../probes/critical-rate.ts';
import { trackProbe } from '../trackers/probes.ts';
import { trackSharpness } from '../trackers/sharpness.ts';
import { trackWeights } from '../trackers/weights.ts';
import { adviseFit, layersProblem, trackFit } from './index.ts';

const mse = (output: tf.Tensor, y: tf.Tensor): tf.Tensor => tf.mean(tf.square(tf.sub(output, y)), 1);

describeEachBackend('fit', () => {
  it('finds its rate, sets the schedule, and learns; the probe leaves the model as it was', async () => {
    const start = (seed: number) => tfl.initializers.glorotNormal({ seed });
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 12, activation: 'tanh', inputShape: [4], kernelInitializer: start(1) }),
        tfl.layers.batchNormalization(),
        tfl.layers.dense({ units: 1, kernelInitializer: start(2) }),
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
      ...{ ...options, optimizer: adam, steps: 96 },
      onAdvice: ({ rate }) => seen.push(rate),
    });
    const { history } = await model.fit(x, y, {
      ...{ batchSize: 16, epochs: 12, shuffle: false, verbose: 0 },
      callbacks: [callback],
    });
    expect(seen).toEqual([callback.advice!.rate]);
    expect((model.optimizer as unknown as { learningRate: number }).learningRate).toBe(callback.advice!.schedule(95));
    const losses = history.loss as number[];
    expect(losses.at(-1)).toBeLessThan(0.6 * losses[0]!);
    model.dispose();
    tf.dispose([x, y]);
  }, 60_000);

  it('is tracked without a trace: sharpness, weights and noise along the way, and the same weights at the end', async () => {
    const x = randomNormal(key(1), [64, 4]);
    const y = tf.tidy(() => tf.sin(tf.sum(x, 1, true)));
    const model = tfl.sequential({
      layers: [
        tfl.layers.dense({ units: 6, activation: 'tanh', inputShape: [4] }),
        tfl.layers.batchNormalization(),
        tfl.layers.dense({ units: 1 }),
      ],
    });
    const module = fromLayersModel(model, { staged: false });
    const first = model.getWeights().map((weight) => weight.clone());
    const problem = layersProblem(module as never, { x, y, batchSize: 16, loss: mse, key: key(2) });
    const trackers = [
      trackSharpness(problem, { every: 4 }),
      trackWeights({ every: 4 }),
      trackProbe(problem, (here) => noiseScale(here, { batches: 4 }), { every: 4 }),
    ] as const;
    const fit = async (callbacks: tfl.Callback[]): Promise<unknown> => {
      model.setWeights(first);
      model.compile({ optimizer: tf.train.sgd(0.05), loss: 'meanSquaredError' });
      await model.fit(x, y, { batchSize: 16, epochs: 3, shuffle: false, verbose: 0, callbacks });
      return bitsOf(model.getWeights());
    };
    expect(await fit([trackFit(module as never, trackers)])).toEqual(await fit([]));
    const [sharp, weights, noise] = trackers;
    expect(sharp.points.map(({ step }) => step)).toEqual([1, 5, 9]);
    expect(sharp.points[0]).toMatchObject({ loss: expect.any(Number), threshold: expect.closeTo(40, 3) });
    expect(sharp.points.every(({ sharpness }) => sharpness > 0)).toBe(true);
    expect(weights.points.at(-1)!.distance).toBeGreaterThan(weights.points[1]!.distance);
    expect(noise.points.every(({ found, fault }) => (found?.scale ?? 0) > 0 || fault === 'FLAT')).toBe(true);
    sharp.dispose();
    weights.dispose();
    model.dispose();
    tf.dispose([x, y, first]);
  }, 60_000);
});
