import { adam, sgd } from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import { key, randomNormal, type Tree, treeDispose, treeLeaves, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { blobs, bowl, release } from '../fixtures/problems.ts';
import { miniature } from '../probes/miniature.ts';
import { cka, initialisationSpread, linearProbe, trackRepresentations } from '../trackers/representations.ts';
import { catapultWarmup } from './catapult.ts';
import { curvatureAware } from './curvature-aware.ts';
import { gradientInitialised } from './gradient-initialised.ts';

/** Descends a bowl of one batch with an optimizer that may evaluate; the loss at the end. */
async function descend(optimizer: ReturnType<typeof curvatureAware>, steps: number): Promise<number> {
  const { loss, params: start, data, key: k } = bowl([100, 30, 10, 3, 1, 0.3]);
  const value = (p: Tree): tf.Tensor => tf.mean(loss(p as never, (data as never[])[0]!, { train: true, key: k }));
  let [params, state] = [start as Tree, optimizer.init(start) as Tree];
  for (let step = 0; step < steps; step++) {
    const [l, grads] = valueAndGrad(value)(params);
    const evaluate = (at: Tree): tf.Scalar => tf.tidy(() => value(at) as tf.Scalar);
    const [updates, next] = optimizer.update(grads, state as never, params, { step, loss: l, evaluate });
    const moved = tf.tidy(() => ({
      w: tf.add((params as never as { w: tf.Tensor }).w, (updates as never as { w: tf.Tensor }).w),
    }));
    treeDispose([l, grads, params, state] as Tree);
    tf.dispose(updates as never);
    [params, state] = [moved, next as Tree];
  }
  const end = tf.tidy(() => value(params));
  const reached = (await end.data())[0]!;
  tf.dispose([end, params, state, data] as never);
  return reached;
}

describeEachBackend('warm-up', () => {
  it('begins where the loss bears it, and saves that share', async () => {
    await expectNoLeak(async () => {
      const problem = blobs();
      const { start, steps, saved, schedule, critical } = await catapultWarmup(problem, {
        optimizer: sgd,
        target: 100,
        steps: 50,
      });
      expect(start).toBe(Math.min(100, critical.rate));
      expect(steps + saved).toBe(50);
      expect(saved).toBe(50 - Math.round(50 * (1 - start / 100)));
      expect(schedule(0)).toBeGreaterThan(start);
      expect(schedule(steps)).toBe(100);
      const safe = await catapultWarmup(problem, { optimizer: sgd, target: 1e-3, steps: 50 });
      expect(safe).toMatchObject({ start: 1e-3, steps: 0, saved: 50 });
      release(problem);
    });
  });

  it('GI-Adam takes a first step that is √(1 − β₂) as long, by update and by step alike', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.tensor1d([1, 2, 3]) };
      const grads = { w: tf.tensor1d([0.5, -1, 2]) };
      const optimizer = gradientInitialised(adam(1, { beta2: 0.99, epsilon: 1e-12 }));
      const [state, other] = [optimizer.init(params), optimizer.init(params)];
      const [updates, next] = optimizer.update(grads, state, params, { step: 0 });
      const values = await (updates as unknown as typeof params).w.data();
      // v = β₂ g² + (1 − β₂) g² = g², corrected by 1 − β₂.
      for (const [i, sign] of [-1, 1, -1].entries()) expect(values[i]).toBeCloseTo(sign * Math.sqrt(0.01), 5);
      const copy = { w: params.w.clone() };
      const [moved, after] = optimizer.step!(grads, other, copy, { step: 0 });
      expect((await moved.w.data())[0]).toBeCloseTo(0.9, 5);
      tf.dispose([params, grads, state, updates, next, moved, after] as never);
      const plain = gradientInitialised(sgd(1));
      const p = { w: tf.tensor1d([1]) };
      const s = plain.init(p);
      expect(() => plain.update(p, s, p, { step: 0 })).toThrow('adam');
      tf.dispose([p, s] as never);
    });
  });

  it('a rate that follows the curvature descends, greedy or on the edge, from a first rate that is far too low', async () => {
    await expectNoLeak(async () => {
      const still = await descend(curvatureAware(sgd(1), { initial: 1e-5, growth: 1 }), 120);
      for (const sigma of [1, 1.9]) {
        expect(await descend(curvatureAware(sgd(1), { sigma, initial: 1e-5 }), 120)).toBeLessThan(0.02 * still);
      }
    });
  });
});

describeEachBackend('representations', () => {
  it('how much the start decides is the spread of what training makes of several', async () => {
    await expectNoLeak(async () => {
      const problem = blobs();
      const net = mlp([6, 16, 3], { activation: 'tanh' });
      const starts = [1, 2, 3, 4].map((seed) => net.init(key(seed)) as unknown as Tree);
      const lossFrom = async (params: Tree): Promise<number> => {
        const [run] = await miniature(
          { ...problem, params },
          { optimizer: sgd, rates: [0.3], steps: 12, examples: 64 },
        );
        return run!.loss;
      };
      const { mean, deviation, losses } = await initialisationSpread(starts, lossFrom);
      expect(new Set(losses).size).toBe(4);
      expect(mean).toBeCloseTo(losses.reduce((a, b) => a + b) / 4, 6);
      expect(deviation).toBeCloseTo(Math.sqrt(losses.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 3), 6);
      expect(starts.every((start) => treeLeaves(start).every(({ isDisposed }) => isDisposed))).toBe(true);
      await expect(initialisationSpread([net.init(key(5)) as never], async () => 1)).rejects.toThrow('starts');
      release(problem);
    });
  });

  it('CKA is 1 for a rotation and a scaling, and low for noise', async () => {
    await expectNoLeak(async () => {
      const [a, noise] = [randomNormal(key(1), [200, 4]), randomNormal(key(2), [200, 4])];
      const turned = tf.tidy(() => tf.mul(3, tf.reverse(a, 1)));
      expect(await cka(a, turned)).toBeCloseTo(1, 4);
      expect(await cka(a, noise)).toBeLessThan(0.2);
      const labels = tf.tidy(() => tf.reshape(tf.cast(tf.greater(tf.slice(a, [0, 0], [200, 1]), 0), 'int32'), [200]));
      expect(await linearProbe(a, labels, { classes: 2 })).toBeGreaterThan(0.9);
      expect(await linearProbe(noise, labels, { classes: 2 })).toBeLessThan(0.7);
      const net = mlp([4, 8, 2], { activation: 'tanh' });
      const params = net.init(key(3)) as unknown as Tree;
      const tracker = trackRepresentations(net as never, { inputs: a, labels, classes: 2, every: 1 });
      const event = { type: 'step', time: 0, step: 1, epoch: 0, loss: 1, examples: 1, metrics: {} } as const;
      await tracker.onEvent(event, { step: 1, params });
      await tracker.onEvent({ ...event, step: 2 }, { step: 2, params });
      expect(tracker.points.length).toBeGreaterThanOrEqual(2);
      for (const { withFirst, accuracy } of tracker.points) {
        expect(withFirst).toBeCloseTo(1, 4);
        expect(accuracy).toBeGreaterThan(0.4);
      }
      tracker.dispose();
      tf.dispose([a, noise, turned, labels, params] as never);
    });
  });
});
