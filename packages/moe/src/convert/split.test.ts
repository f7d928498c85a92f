import { feedForward } from '@frugal/nn';
import { foldIn, key, meter, randomNormal, treeMap, valueAndGrad } from '@frugal/tensor';
import {
  describeEachBackend,
  expectClose,
  expectGradient,
  expectNoLeak,
  largestDifference,
} from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { moe } from '../moe.ts';
import { normRouter } from '../routers/norm.ts';
import { denseReference } from '../testing/index.ts';
import { balancedGroups } from './balanced-groups.ts';
import { splitFeedForward, squaredHoyer } from './split.ts';
import { expertNorms } from './teach-router.ts';

const [dim, hidden, experts] = [8, 24, 4];

describe('balancedGroups', () => {
  it('finds groups that there are, of equal size', () => {
    const angle = (p: number): number => (p % 3) * 2 + 0.05 * Math.sin(p * 7);
    const points = Float32Array.from({ length: 36 }, (_, i) => 5 * (i % 2 === 0 ? Math.cos : Math.sin)(angle(i >> 1)));
    const groups = balancedGroups(points, 2, 3, { key: key(1) });
    expect(groups.map((group) => group.length)).toEqual([6, 6, 6]);
    for (const group of groups) expect(new Set(group.map((p) => p % 3)).size).toBe(1);
    expect(() => balancedGroups(points, 2, 5, { key: key(1) })).toThrow(/must divide the number of points, 18, got 5/);
  });
});

describeEachBackend('a feed-forward network cut into experts', () => {
  it('computes what it was with all of them, less and otherwise with some, at the cost that the meter counts', async () => {
    await expectNoLeak(async () => {
      const network = feedForward(dim, hidden, { activation: 'relu' });
      const trained = network.init(key(1));
      const layer = moe(normRouter(dim, experts), dim, hidden / experts, { kind: 'relu' });
      const router = layer.router.init(key(2));
      const params = { router, ...(await splitFeedForward(trained, experts, { key: key(3) })) };
      const x = randomNormal(key(4), [10, dim]);
      const dense = network.apply(trained, x);
      const all = await layer.run(params, x, { tau: 1 });
      await expectClose(all.output, dense);
      const { result: some, flops } = await meter(() => layer.run(params, x, { tau: 0.3 }));
      expect(some.plan.rows.length).toBeLessThan(all.plan.rows.length);
      const reference = denseReference(layer, params, x, some.plan);
      await expectClose(some.output, reference);
      expect(await largestDifference(some.output, dense)).toBeGreaterThan(1e-2);
      const total = some.cost.reduce((a, b) => a + b, 0);
      expect(Math.abs(total - flops) / flops).toBeLessThan(0.03); // tiny: the fixed work of a composition weighs more
      tf.dispose([trained, params, x, dense, all.output, some.output, reference] as tf.TensorContainer);
    });
  });

  it('refuses activity of other units', async () => {
    await expectNoLeak(async () => {
      const trained = feedForward(dim, hidden, { activation: 'relu' }).init(key(1));
      const activity = tf.ones([hidden, dim]) as tf.Tensor2D; // as many numbers as three tokens would have
      await expect(splitFeedForward(trained, experts, { key: key(3), activity })).rejects.toThrow(
        'activity must be outputs of the activation, [tokens, 24], got [24,8].',
      );
      tf.dispose([trained, activity] as tf.TensorContainer);
    });
  });

  it('gives norms that a router learns', async () => {
    await expectNoLeak(async () => {
      const layer = moe(normRouter(dim, experts, { width: 32 }), dim, hidden / experts, { kind: 'relu' });
      const { router: start, experts: stacked } = layer.init(key(1));
      let router = start;
      const errors: number[] = [];
      for (let step = 0; step < 60; step++) {
        const x = randomNormal(foldIn(key(4), step), [64, dim]) as tf.Tensor2D;
        const norms = expertNorms(layer.experts, stacked as never, x);
        const [loss, grads] = valueAndGrad((p: typeof router) =>
          tf.tidy(() => tf.mean(tf.squaredDifference(layer.router.logits(p, x), norms))),
        )(router);
        errors.push((await loss.data())[0]!);
        const next = treeMap((p, g) => tf.tidy(() => tf.sub(p, tf.mul(g!, 0.1))), router, grads);
        tf.dispose([x, norms, router, loss, grads] as tf.TensorContainer);
        router = next;
      }
      expect(errors.at(-1)!).toBeLessThan(errors[0]! / 4);
      tf.dispose([router, stacked] as tf.TensorContainer);
    });
  });

  it('is held sparse by a penalty with the right value and gradient', async () => {
    await expectNoLeak(async () => {
      const h = tf.tensor2d([1, 1, 1, 1, 2, 0, 0, 0], [2, 4]);
      const loss = squaredHoyer(h);
      await expectClose(loss, [(1 + 1 / 4) / 2]);
      const x = randomNormal(key(5), [3, 6]);
      await expectGradient(squaredHoyer, x, { step: 2e-3 });
      tf.dispose([h, loss, x]);
    });
  });
});
