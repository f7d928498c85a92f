import * as trainer from '@frugal/core-trainer';
import { foldIn, type GradientTransformation, key, type LossFunction, type Tree, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { weightPerturbation } from './weight-perturbation.ts';

type Params = { weight: tf.Tensor; bias: tf.Tensor };

/** ½ ‖weight‖² + ½ ‖bias‖²: rank-one gradients for the matrix, dense ones for the vector. */
const quadratic: LossFunction<Params, null> = (p) =>
  tf.reshape(tf.mul(0.5, tf.add(tf.sum(tf.square(p.weight)), tf.sum(tf.square(p.bias)))), [1]);

const optimizers: Record<string, () => GradientTransformation> = {
  sgd: () => trainer.sgd(0.03),
  momentum: () => trainer.momentum(0.005),
  nesterov: () => trainer.nesterov(0.005),
  adam: () => trainer.adam(0.15, { epsilon: 1e-8 }),
  adamw: () => trainer.adamw(0.15, { epsilon: 1e-8 }),
  nadamw: () => trainer.nadamw(0.15, { epsilon: 1e-8 }),
  lion: () => trainer.lion(0.1),
  adafactor: () => trainer.adafactor(0.1),
  muon: () => trainer.muon(0.15),
  prodigy: () => trainer.prodigy(1, { distance0: 0.1, epsilon: 1e-8 }),
  scheduleFreeSgd: () => trainer.scheduleFreeSgd(0.05),
  scheduleFreeAdamw: () => trainer.scheduleFreeAdamw(0.2, { epsilon: 1e-8 }),
};

describeEachBackend('weight perturbation trains with each optimizer of core-trainer', () => {
  it.each(Object.entries(optimizers))('%s', async (_, make) => {
    await expectNoLeak(async () => {
      const optimizer = make();
      const estimator = weightPerturbation({ directions: 4 });
      let params: Params = { weight: tf.fill([4, 3], 3), bias: tf.fill([3], -3) };
      let state: Tree = optimizer.init(params);
      for (let step = 0; step < 40; step++) {
        const { loss, grads } = estimator(quadratic, params, null, foldIn(key(8), step));
        [params, state] = trainer.takeStep(optimizer, grads, state, params, { step });
        treeDispose(grads);
        loss.dispose();
      }
      const end = tf.tidy(() => quadratic(params, null, { train: false }));
      const start = 0.5 * 15 * 9;
      expect((await end.data())[0]!).toBeLessThan(0.6 * start);
      treeDispose([params, state, end]);
    });
  });
});
