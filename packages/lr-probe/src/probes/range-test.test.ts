import { adamw, sgd } from '@frugal/core-trainer';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { blobs, release } from '../fixtures/problems.ts';
import { miniature } from './miniature.ts';
import { rangeTest } from './range-test.ts';

describeEachBackend('range test', () => {
  it('raises the rate until the loss diverges, and is the same again', async () => {
    await expectNoLeak(async () => {
      const problem = blobs();
      const options = { optimizer: sgd, to: 1e4, steps: 60 };
      const [first, second] = [await rangeTest(problem, options), await rangeTest(problem, options)];
      expect(second.points).toEqual(first.points);
      expect(first.diverged).toBe(true);
      expect(first.points.length).toBeLessThan(60);
      const ratio = first.points[1]!.rate / first.points[0]!.rate;
      expect(first.points.at(-1)!.rate / first.points.at(-2)!.rate).toBeCloseTo(ratio, 6);
      const { steep, minimum, valley } = first.suggestions;
      for (const rate of [steep, minimum, valley]) {
        expect(rate).toBeGreaterThan(1e-6);
        expect(rate).toBeLessThan(1e3);
      }
      expect(first.cost.gradients).toBe(first.points.length);
      release(problem);
    });
  });

  it('can space its rates linearly, and ends without divergence', async () => {
    const problem = blobs();
    const test = await rangeTest(problem, { optimizer: adamw, from: 1e-4, to: 1e-2, steps: 12, spacing: 'linear' });
    expect(test.diverged).toBe(false);
    expect(test.points.map(({ rate }) => rate)[6]).toBeCloseTo(1e-4 + (6 / 11) * (1e-2 - 1e-4), 8);
    release(problem);
  });

  it('refuses bad numbers before anything runs', async () => {
    const problem = blobs({ batches: 1 });
    for (const bad of [{ from: 0 }, { from: 2, to: 1 }, { steps: 2 }, { smoothing: 1 }]) {
      await expect(rangeTest(problem, { optimizer: sgd, ...bad })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
    release(problem);
  });
});

describeEachBackend('miniature runs', () => {
  it('bear a catapult, which comes back, unless told to have no patience', async () => {
    // f = uv on one example, loss f² / 2, λ₀ = u² + v²: beyond 2 / λ₀ the loss grows until the curvature has fallen.
    const params = { u: tf.scalar(4), v: tf.scalar(0.1) };
    const problem = {
      loss: ({ u, v }: typeof params) => tf.mul(0.5, tf.square(tf.mul(u, v))),
      ...{ params, data: [{ x: tf.zeros([1]) }], key: { hi: 0, lo: 1 } },
    };
    const schedule = (peak: number) => () => peak;
    const options = { optimizer: sgd, rates: [3 / 16], steps: 60, schedule, examples: 1 };
    const [patient] = await miniature(problem, options);
    expect(Math.max(...patient!.losses)).toBeGreaterThan(4 * patient!.losses[0]!);
    expect(patient!.loss).toBeLessThan(1e-3 * patient!.losses[0]!);
    const [hasty] = await miniature(problem, { ...options, patience: 0 });
    expect(hasty).toMatchObject({ diverged: true, loss: Number.POSITIVE_INFINITY });
    expect(hasty!.losses.length).toBeLessThan(patient!.losses.length);
    release(problem);
  });

  it('start alike, stop as soon as they diverge, and cost what they say', async () => {
    await expectNoLeak(async () => {
      const problem = blobs();
      const [low, good, high] = await miniature(problem, {
        optimizer: sgd,
        steps: 12,
        rates: [0.01, 1, 1e6],
        examples: 64,
      });
      expect(low!.losses[0]).toBe(good!.losses[0]);
      expect(good!.loss).toBeLessThan(low!.loss);
      expect(high).toMatchObject({ diverged: true, loss: Number.POSITIVE_INFINITY });
      expect(high!.losses.length).toBeLessThan(6);
      expect(good!.cost).toMatchObject({ gradients: 12, forwards: 2 });
      expect(good!.cost.flops).toBeGreaterThan(high!.cost.flops * 1.9);
      release(problem);
    });
  });
});
