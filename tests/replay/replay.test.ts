import { chain, scaleByLearningRate, takeStep } from '@frugal/core-trainer';
import {
  decodeSteps,
  encodeSteps,
  record,
  replay,
  type SeededEstimator,
  weightPerturbation,
} from '@frugal/forward-grad';
import { mlp } from '@frugal/nn';
import {
  cpu,
  foldIn,
  key,
  type LossFunction,
  randomNormal,
  type Tree,
  treeClone,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { bitsOf } from '@frugal/test-support';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expect, it } from 'vitest';

const STEPS = 1000;
const model = mlp([5, 70, 3], { activation: 'tanh' });
const loss: LossFunction<Tree, tf.Tensor> = (p, x) => tf.mean(tf.square(model.apply(p as never, x)), 1) as tf.Tensor1D;
const optimizer = chain(scaleByLearningRate(1e-3));

/** A run of 1,000 steps on the current backend: its log as bytes, and the bits at its end. */
async function run(seeded: SeededEstimator): Promise<{ bytes: Uint8Array; end: unknown }> {
  const recorder = record(seeded);
  let params = model.init(key(1)) as Tree;
  let state = optimizer.init(params);
  for (let step = 0; step < STEPS; step++) {
    const x = randomNormal(foldIn(key(50), step), [4, 5]);
    const estimate = recorder.estimator(loss, params, x, foldIn(key(51), step));
    [params, state] = takeStep(optimizer, estimate.grads, state, params, { step, loss: estimate.loss });
    treeDispose(estimate.grads);
    treeDispose([estimate.loss, x]);
  }
  const bytes = encodeSteps(await recorder.log());
  const end = await bitsOf(params);
  treeDispose([params, state]);
  return { bytes, end };
}

/** What the current backend makes of a log. */
async function again(bytes: Uint8Array, seeded: SeededEstimator): Promise<unknown> {
  const start = model.init(key(1)) as Tree;
  const { params, state } = replay(decodeSteps(bytes), seeded, { params: start, optimizer });
  const end = await bitsOf(params);
  treeDispose([start, params, state]);
  return end;
}

it.each([
  ['rank-one signs', weightPerturbation()],
  ['dense signs', weightPerturbation({ structure: 'dense' })],
] as const)('1,000 steps by %s: the log of one backend gives its bits on the other', async (_, seeded) => {
  // With signs and one direction an update is p ± rate·scalar: no engine can round that in two ways.
  await useBackend(cpu());
  const there = await run(seeded);
  expect(there.bytes.length).toBe(12 + STEPS * 12);
  expect(await again(there.bytes, seeded)).toEqual(there.end);
  await useBackend(wasm({ threads: 1 }));
  expect(await again(there.bytes, seeded)).toEqual(there.end);
});
