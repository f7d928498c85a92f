import { adam, chain, scaleByLearningRate, takeStep } from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import {
  foldIn,
  type GradientTransformation,
  key,
  type LossFunction,
  randomNormal,
  type Tree,
  treeClone,
  treeDispose,
} from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { SeededEstimator } from '../estimators/seeded.ts';
import { spsa } from '../estimators/spsa.ts';
import { weightPerturbation } from '../estimators/weight-perturbation.ts';

import { record } from './record.ts';
import { replay } from './replay.ts';
import { decodeSteps, encodeSteps } from './step-log.ts';

const model = mlp([5, 6, 2], { activation: 'tanh' });
const loss: LossFunction<Tree, tf.Tensor> = (p, x) => tf.mean(tf.square(model.apply(p as never, x)), 1) as tf.Tensor1D;

/** A run of some steps; returns its log as bytes and the parameters at its end. */
async function run(start: Tree, seeded: SeededEstimator, optimizer: GradientTransformation, steps: number) {
  const recorder = record(seeded);
  let params = treeClone(start);
  let state = optimizer.init(params);
  for (let step = 0; step < steps; step++) {
    const x = randomNormal(foldIn(key(50), step), [4, 5]);
    const estimate = recorder.estimator(loss, params, x, foldIn(key(51), step));
    [params, state] = takeStep(optimizer, estimate.grads, state, params, { step, loss: estimate.loss });
    treeDispose(estimate.grads);
    treeDispose([estimate.loss, x]);
    if (step === steps >> 1) await recorder.log();
  }
  const bytes = encodeSteps(await recorder.log());
  recorder.dispose();
  return { bytes, params, state };
}

describeEachBackend('a log of steps', () => {
  const sgdOf = (): GradientTransformation => chain(scaleByLearningRate(0.02)) as GradientTransformation;
  const cases: [string, SeededEstimator, () => GradientTransformation, number][] = [
    ['rank-one signs, SGD', weightPerturbation(), sgdOf, 1000],
    [
      'normal numbers, two directions, Adam',
      weightPerturbation({ noise: 'normal', structure: 'dense', directions: 2 }),
      () => adam(1e-2),
      100,
    ],
    ['projection of three directions, SGD', weightPerturbation({ directions: 3, combine: 'projection' }), sgdOf, 100],
    ['blocks, Adam', weightPerturbation({ blocks: (path) => path.split('.')[0]! }), () => adam(1e-2), 100],
    ['SPSA, SGD', spsa({ clip: 1 }), sgdOf, 100],
  ];

  it.each(cases)('re-creates the run bit for bit: %s', async (_, seeded, optimizer, steps) => {
    await expectNoLeak(async () => {
      const start = model.init(key(1)) as Tree;
      const { bytes, params, state } = await run(start, seeded, optimizer(), steps);
      expect(bytes.length).toBe(12 + steps * (8 + 4 * seeded.directions));
      const again = replay(decodeSteps(bytes), seeded, { params: start, optimizer: optimizer() });
      expect(await bitsOf(again.params)).toEqual(await bitsOf(params));
      expect(await bitsOf(again.params)).not.toEqual(await bitsOf(start));
      // In two halves, as somebody would who comes back later.
      const log = decodeSteps(bytes);
      const half = steps >> 1;
      const first = replay({ ...log, steps: log.steps.slice(0, half) }, seeded, {
        params: start,
        optimizer: optimizer(),
      });
      const second = replay({ ...log, steps: log.steps.slice(half) }, seeded, {
        ...first,
        optimizer: optimizer(),
        step: half,
      });
      expect(await bitsOf(second.params)).toEqual(await bitsOf(params));
      treeDispose([start, params, state, { ...again }, { ...first }, { ...second }]);
    });
  });

  it('goes back when a key comes again', async () => {
    await expectNoLeak(async () => {
      const params = model.init(key(1)) as Tree;
      const x = randomNormal(key(2), [4, 5]);
      const recorder = record(weightPerturbation());
      const take = (step: number): void => {
        const { loss: value, grads } = recorder.estimator(loss, params, x, foldIn(key(3), step));
        treeDispose(grads);
        value.dispose();
      };
      for (const step of [0, 1, 2, 3]) take(step);
      take(2); // among those that were not read
      expect((await recorder.log()).steps.length).toBe(3);
      take(3);
      take(1); // among those that were
      take(2);
      const { steps } = await recorder.log();
      expect(steps.map((step) => step.key)).toEqual([0, 1, 2].map((step) => foldIn(key(3), step)));
      take(3);
      recorder.dispose();
      treeDispose([params, x]);
    });
  });

  it('refuses bytes that are none', () => {
    const bytes = encodeSteps({ directions: 1, steps: [{ key: key(1), scalars: Float32Array.of(2) }] });
    expect(decodeSteps(bytes).steps[0]).toEqual({ key: key(1), scalars: Float32Array.of(2) });
    expect(() => decodeSteps(bytes.subarray(0, 20))).toThrow(/has 24 bytes, got 20. Is it complete/);
    expect(() => decodeSteps(new Uint8Array(40))).toThrow(/do not begin with FGL1/);
    expect(() => encodeSteps({ directions: 2, steps: decodeSteps(bytes).steps })).toThrow(/Step 0 has 1 scalars/);
    expect(() =>
      replay(decodeSteps(bytes), weightPerturbation({ directions: 2 }), { params: {}, optimizer: adam(1) }),
    ).toThrow(/1 directions a step, the estimator 2/);
  });
});
