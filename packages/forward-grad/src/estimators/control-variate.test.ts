import { sgd, takeStep } from '@frugal/core-trainer';
import { foldIn, key, type LossFunction, randomNormal, treeDispose } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { cosineSimilarity, diagnose } from '../diagnostics/diagnose.ts';
import { expectedCosine, secondMomentRatio } from '../diagnostics/laws.ts';
import { record } from '../log/record.ts';
import { replay } from '../log/replay.ts';
import { type ControlVariateOptions, controlVariate } from './control-variate.ts';
import { evolutionStrategy } from './evolution-strategy.ts';
import { weightPerturbation } from './weight-perturbation.ts';

type Params = { w: tf.Tensor2D; b: tf.Tensor1D };

/** f = a · θ, so the gradient is a everywhere; d = 63. */
const slopes = (): Params => ({
  w: randomNormal(key(11), [9, 6]) as tf.Tensor2D,
  b: randomNormal(key(12), [9]) as tf.Tensor1D,
});
const linear: LossFunction<Params, Params> = (p, a) =>
  tf.reshape(tf.add(tf.sum(tf.mul(p.w, a.w)), tf.sum(tf.mul(p.b, a.b))), [1]);

const variants: ControlVariateOptions[] = [
  {},
  { structure: 'dense' },
  { noise: 'normal', structure: 'dense' },
  { measured: true },
  { measured: true, beta: 0.95, blocks: (path) => path },
];

describeEachBackend('controlVariate', () => {
  it.each(variants)('learns a constant gradient, which random directions alone never show: %o', async (variant) => {
    await expectNoLeak(async () => {
      const [params, a] = [slopes(), slopes()];
      const estimator = controlVariate({ beta: 0.9, directions: 8, ...variant });
      let seen = 0;
      for (let step = 0; step < 160; step++) {
        const { loss, grads } = estimator(linear, params, a, foldIn(key(1), step));
        if (step >= 150) seen += (await cosineSimilarity(grads, a)) / 10;
        treeDispose(grads);
        loss.dispose();
      }
      expect(expectedCosine({ dimension: 63, directions: 8 })).toBeLessThan(0.4);
      expect(seen).toBeGreaterThan(0.9);
      estimator.dispose();
      treeDispose([params, a]);
    });
  });

  it('has no bias, whatever it expects', async () => {
    await expectNoLeak(async () => {
      const [params, a] = [slopes(), slopes()];
      for (const measured of [false, true]) {
        // Each trial expects what one single estimate said, a bad guess.
        const once = ((loss, p, batch, k, ctx) => {
          const fresh = controlVariate({ beta: 0, measured });
          const first = fresh(loss, p, batch, foldIn(k, 1), ctx);
          treeDispose(first.grads);
          first.loss.dispose();
          const second = fresh(loss, p, batch, foldIn(k, 2), ctx);
          fresh.dispose();
          return second;
        }) as typeof estimatorOf;
        const seen = await diagnose(once, linear, params, a, { key: key(3), trials: 120 });
        expect(seen.bias).toBeLessThan(1.7);
        if (measured) expect(seen.secondMoment).toBeLessThan(1.2 * secondMomentRatio({ dimension: 63 }));
      }
      treeDispose([params, a]);
    });
  });

  it('is replayed by a fresh one', async () => {
    await expectNoLeak(async () => {
      const a = slopes();
      const start: Params = { w: tf.zeros([9, 6]), b: tf.zeros([9]) };
      const make = () => controlVariate({ directions: 2, measured: true });
      const [seeded, again] = [make(), make()];
      const recorder = record(seeded);
      const optimizer = sgd(1e-3);
      let params: Params = { w: tf.zeros([9, 6]), b: tf.zeros([9]) };
      let state = optimizer.init(params);
      for (let step = 0; step < 30; step++) {
        const { loss, grads } = recorder.estimator(linear, params, a, foldIn(key(2), step));
        [params, state] = takeStep(optimizer, grads, state, params, { step });
        treeDispose(grads);
        loss.dispose();
      }
      const made = replay(await recorder.log(), again, { params: start, optimizer });
      expect(await bitsOf(made.params)).toEqual(await bitsOf(params));
      treeDispose([a, start, params, state, made.params, made.state] as never);
      seeded.dispose();
      again.dispose();
    });
  });

  it('refuses a beta that is none', () => {
    expect(() => controlVariate({ beta: 1 })).toThrow(/beta must be in \[0, 1\)/);
  });
});

const estimatorOf = weightPerturbation();

describeEachBackend('normalized directions', () => {
  it('give normal numbers the second moment of signs, without a bias', async () => {
    await expectNoLeak(async () => {
      const [params, a] = [slopes(), slopes()];
      const estimator = weightPerturbation({ noise: 'normal', structure: 'dense', normalize: true, directions: 2 });
      const seen = await diagnose(estimator, linear, params, a, { key: key(5), trials: 300 });
      const law = secondMomentRatio({ dimension: 63, directions: 2, noise: 'signs' });
      expect(Math.abs(seen.secondMoment / law - 1)).toBeLessThan(0.25);
      expect(seen.bias).toBeLessThan(1.6);
      treeDispose([params, a]);
    });
  });
});

describeEachBackend('evolutionStrategy', () => {
  it('points along the gradient at a length that does not depend on the scale of the loss', async () => {
    await expectNoLeak(async () => {
      const [params, a] = [slopes(), slopes()];
      const louder: LossFunction<Params, Params> = (p, b) => tf.mul(linear(p, b, { train: true }), 100);
      const lengths: number[] = [];
      for (const loss of [linear, louder]) {
        const { loss: value, grads } = evolutionStrategy({ pairs: 64, sigma: 0.1 })(loss, params, a, key(6));
        expect(await cosineSimilarity(grads, a)).toBeGreaterThan(0.5);
        const { secondMoment } = await diagnose(evolutionStrategy({ sigma: 0.1 }), loss, params, a, {
          key: key(7),
          trials: 4,
          gradient: a,
        });
        lengths.push(secondMoment);
        treeDispose(grads);
        value.dispose();
      }
      expect(lengths[1]! / lengths[0]!).toBeCloseTo(1, 2);
      treeDispose([params, a]);
    });
  });
});
