import { mlp } from '@frugal/nn';
import { foldIn, key, type LossFunction, randomNormal, type Tree, treeDispose, treeMaterialize } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { diagnose } from '../diagnostics/diagnose.ts';
import {
  expectedCosine,
  expectedProjectionCosineSquared,
  quadraticFactor,
  secondMomentRatio,
} from '../diagnostics/laws.ts';
import type { DirectionOptions } from '../noise/directions.ts';
import { spsa } from './spsa.ts';
import { weightPerturbation } from './weight-perturbation.ts';

type Params = { w: tf.Tensor2D; b: tf.Tensor1D };

/** f = a · θ over a matrix [12, 9] and a bias [9]: d = 117, and the gradient is a itself. */
const d = 117;
const slopes = (): Params => ({
  w: randomNormal(key(11), [12, 9]) as tf.Tensor2D,
  b: randomNormal(key(12), [9]) as tf.Tensor1D,
});
const linear: LossFunction<Params, Params> = (p, a) =>
  tf.reshape(tf.add(tf.sum(tf.mul(p.w, a.w)), tf.sum(tf.mul(p.b, a.b))), [1]);

/** f = ½ ‖x‖². */
const quadratic: LossFunction<{ x: tf.Tensor }, null> = (p) => tf.reshape(tf.mul(0.5, tf.sum(tf.square(p.x))), [1]);

const variants: DirectionOptions[] = [
  { noise: 'signs', structure: 'rankOne' },
  { noise: 'signs', structure: 'dense' },
  { noise: 'normal', structure: 'dense' },
];

describeEachBackend('weight perturbation', () => {
  it.each(variants)('has no bias and the second moment of its law: %o', async (variant) => {
    await expectNoLeak(async () => {
      const [params, a] = [slopes(), slopes()];
      const trials = 300;
      const options = { key: key(1), trials };
      for (const directions of [1, 8]) {
        const seen = await diagnose(weightPerturbation({ ...variant, directions }), linear, params, a, options);
        const law = secondMomentRatio({ dimension: d, directions, noise: variant.noise! });
        // Four standard deviations: (g·v)² has a relative deviation of about √2.
        expect(Math.abs(seen.secondMoment / law - 1)).toBeLessThan((4 * 1.6) / Math.sqrt(trials * directions));
        expect(seen.bias).toBeLessThan(1.6);
        expect(seen.cosineOfMean).toBeGreaterThan(0.75);
        if (directions === 8) {
          const cosine = expectedCosine({ dimension: d, directions, noise: variant.noise! });
          expect(Math.abs(seen.cosine / cosine - 1)).toBeLessThan(0.1);
        }
      }
      treeDispose([params, a]);
    });
  });

  it('has E‖g‖² = (d + 2)‖∇f‖² with normal numbers and d‖∇f‖² with signs', () => {
    expect(secondMomentRatio({ dimension: 100, noise: 'normal' })).toBe(102);
    expect(secondMomentRatio({ dimension: 100, noise: 'signs' })).toBe(100);
    // 1/√(1 + (d + 1)/K), the values of forward-grad's literature: d = 8, K = 2, 8, 32.
    const cosines = [2, 8, 32].map((k) => expectedCosine({ dimension: 8, directions: k, noise: 'normal' }));
    for (const [i, value] of [0.426, 0.686, 0.883].entries()) expect(cosines[i]).toBeCloseTo(value, 3);
    expect(() => secondMomentRatio({ dimension: 0 })).toThrow(/at least 1, got 0/);
  });

  it.each(variants)(
    'projects on its directions: cos² = K/d, and all of them give the gradient: %o',
    async (variant) => {
      await expectNoLeak(async () => {
        const [params, a] = [slopes(), slopes()];
        const few = weightPerturbation({ ...variant, directions: 12, combine: 'projection' });
        const seen = await diagnose(few, linear, params, a, { key: key(1), trials: 40 });
        const law = expectedProjectionCosineSquared({ dimension: d, directions: 12 });
        expect(Math.abs(seen.cosineSquared / law - 1)).toBeLessThan(0.26);
        expect(Math.abs(seen.secondMoment / law - 1)).toBeLessThan(0.26); // a projection is as long as its cosine
        const x = { x: randomNormal(key(5), [4, 2]) };
        const all = weightPerturbation({ ...variant, directions: 64, combine: 'projection' });
        const { loss, grads } = all(quadratic, x, null, key(2));
        const dense = treeMaterialize(grads) as typeof x;
        await expectClose(dense.x, x.x, 2e-3);
        treeDispose(grads);
        treeDispose([params, a, x, loss, dense]);
      });
    },
  );

  it('descends on ½‖x‖² by (1 − α)² + α²(d ± 1)/S per step', async () => {
    const x = { x: tf.tidy(() => tf.ones([6, 5])) };
    for (const [noise, structure] of [
      ['normal', 'dense'],
      ['signs', 'rankOne'],
    ] as const) {
      const estimator = weightPerturbation({ noise, structure, directions: 4 });
      const stepSize = 0.3;
      const trials = 600;
      let sum = 0;
      for (let i = 0; i < trials; i++) {
        const factor = tf.tidy(() => {
          const { loss, grads } = estimator(quadratic, x, null, foldIn(key(3), i));
          const g = (treeMaterialize(grads) as typeof x).x;
          treeDispose(grads);
          return tf.div(tf.mul(0.5, tf.sum(tf.square(tf.sub(x.x, tf.mul(g, stepSize))))), loss);
        });
        sum += (await factor.data())[0]!;
        factor.dispose();
      }
      const law = quadraticFactor(stepSize, { dimension: 30, directions: 4, noise });
      expect(Math.abs(sum / trials - law)).toBeLessThan(0.08);
    }
    treeDispose(x);
  });

  it('perturbs one block a step, without bias', async () => {
    await expectNoLeak(async () => {
      const [params, a] = [slopes(), slopes()];
      const estimator = weightPerturbation({ blocks: (path) => path, directions: 4 });
      const seen = await diagnose(estimator, linear, params, a, { key: key(1), trials: 300 });
      expect(seen.bias).toBeLessThan(1.6);
      expect(seen.cosineOfMean).toBeGreaterThan(0.75);
      const blocks = new Set<string>();
      for (let i = 0; i < 20; i++) {
        const { loss, grads } = estimator(linear, params, a, key(i));
        const dense = treeMaterialize(grads) as Params;
        const zeros = [dense.w, dense.b].map((t) => tf.tidy(() => tf.sum(tf.abs(t))));
        const [w, b] = await Promise.all(zeros.map(async (t) => (await t.data())[0]!));
        expect((w === 0) !== (b === 0)).toBe(true);
        blocks.add(w === 0 ? 'b' : 'w');
        treeDispose(grads);
        treeDispose([dense, loss, zeros]);
      }
      expect(blocks.size).toBe(2);
      treeDispose([params, a]);
    });
  });

  it('gives the same bits for the same key, and measures and rebuilds what it estimates', async () => {
    await expectNoLeak(async () => {
      const [params, a] = [slopes(), slopes()];
      for (const estimator of [weightPerturbation({ directions: 3 }), weightPerturbation(), spsa()]) {
        const one = estimator(linear, params, a, key(7));
        const { loss, scalars } = estimator.measure(linear, params, a, key(7));
        expect(scalars.shape).toEqual([estimator.directions]);
        const again = estimator.rebuild(params, key(7), scalars);
        const [x, y] = [treeMaterialize(one.grads), treeMaterialize(again)];
        expect(await bitsOf(x)).toEqual(await bitsOf(y));
        treeDispose([one.grads, again] as never);
        treeDispose([one.loss, loss, scalars, x, y]);
        const wrong = tf.tensor1d([1, 2]);
        expect(() => estimator.rebuild(params, key(7), wrong)).toThrow(/scalars must have the shape/);
        wrong.dispose();
      }
      treeDispose([params, a]);
    });
  });

  it('limits its scalars', async () => {
    const [params, a] = [slopes(), slopes()];
    const { loss, scalars } = weightPerturbation({ clip: 0.5, directions: 5 }).measure(linear, params, a, key(1));
    expect(Math.max(...(await scalars.data()).map(Math.abs))).toBeLessThanOrEqual(0.5);
    treeDispose([params, a, loss, scalars]);
    expect(() => weightPerturbation({ clip: 0 })).toThrow(/clip must be a positive number/);
    expect(() => weightPerturbation({ combine: 'sum' as never })).toThrow(/'mean' or 'projection', got 'sum'/);
  });

  it.each(variants)('agrees with finite differences along the same directions: %o', async (variant) => {
    await expectNoLeak(async () => {
      const model = mlp([4, 6, 3], { activation: 'tanh' });
      const params = model.init(key(1));
      const x = randomNormal(key(2), [8, 4]);
      const loss: LossFunction<Tree, tf.Tensor> = (p, input) =>
        tf.mean(tf.square(model.apply(p as typeof params, input)), 1) as tf.Tensor1D;
      const exact = weightPerturbation({ ...variant, directions: 3 }).measure(loss, params, x, key(9));
      const both = spsa({ ...variant, directions: 3, epsilon: 1e-2 }).measure(loss, params, x, key(9));
      const one = spsa({ ...variant, directions: 3, epsilon: 1e-2, antithetic: false }).measure(
        loss,
        params,
        x,
        key(9),
      );
      await expectClose(both.scalars, exact.scalars, 5e-3);
      await expectClose(one.scalars, exact.scalars, 0.2);
      await expectClose(one.loss, exact.loss);
      treeDispose([params, x, { ...exact }, { ...both }, { ...one }]);
    });
  });
});
