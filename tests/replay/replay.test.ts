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
import { cpu, foldIn, key, type LossFunction, randomNormal, type Tree, treeDispose, useBackend } from '@frugal/tensor';
import { bitsOf, describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';

const deep = process.env.FRUGAL_DEEP === '1';
const model = mlp([5, 70, 3], { activation: 'tanh' });
type Params = ReturnType<typeof model.init>;
const loss: LossFunction<Tree, tf.Tensor> = (p, x) => tf.mean(tf.square(model.apply(p as never, x)), 1) as tf.Tensor1D;
const optimizer = chain(scaleByLearningRate(1e-3));

const estimators: Record<string, SeededEstimator> = {
  'rank-one signs': weightPerturbation(),
  'dense signs': weightPerturbation({ structure: 'dense' }),
};

/** Where runs start, as numbers: an initialisation by normal numbers differs in last bits on WebGPU. */
let numbers: { shape: number[]; values: Float32Array }[];

async function readStart(): Promise<void> {
  const params = model.init(key(1));
  const leaves = params.flatMap(({ weight, bias }) => [weight, bias]);
  numbers = await Promise.all(
    leaves.map(async (leaf) => ({ shape: leaf.shape, values: (await leaf.data()) as Float32Array })),
  );
  treeDispose(params as Tree);
}

function makeStart(): Tree {
  const leaves = numbers.map(({ shape, values }) => tf.tensor(values.slice(), shape));
  return [0, 1].map((layer) => ({ weight: leaves[2 * layer]!, bias: leaves[2 * layer + 1]! })) as Params as Tree;
}

/** A run on the current backend: its log as bytes, and the bits at its end. */
async function run(seeded: SeededEstimator, steps: number): Promise<{ bytes: Uint8Array; end: unknown }> {
  const recorder = record(seeded);
  let params = makeStart();
  let state = optimizer.init(params);
  for (let step = 0; step < steps; step++) {
    const x = randomNormal(foldIn(key(50), step), [4, 5]);
    const estimate = recorder.estimator(loss, params, x, foldIn(key(51), step));
    [params, state] = takeStep(optimizer, estimate.grads, state, params, { step, loss: estimate.loss });
    treeDispose(estimate.grads);
    treeDispose([estimate.loss, x]);
  }
  const bytes = encodeSteps(await recorder.log());
  const end = await bitsOf(params);
  recorder.dispose();
  treeDispose([params, state]);
  return { bytes, end };
}

/** What the current backend makes of a log. */
async function again(bytes: Uint8Array, seeded: SeededEstimator): Promise<unknown> {
  const start = makeStart();
  const { params, state } = replay(decodeSteps(bytes), seeded, { params: start, optimizer });
  const end = await bitsOf(params);
  expect(end).not.toEqual(await bitsOf(start));
  treeDispose([start, params, state]);
  return end;
}

// With signs and one direction an update is p ± rate·scalar: no engine can round that in two ways.
describeEachBackend('the log of a run by signs', (backend) => {
  // An emulated graphics card takes a second for a dozen steps.
  const steps = backend === 'webgpu' && !deep ? 20 : 1000;
  const logs: Record<string, { bytes: Uint8Array; end: unknown }> = {};

  describe.skipIf(backend === 'cpu')(`${steps} steps on cpu`, () => {
    beforeAll(async () => {
      await useBackend(cpu());
      await readStart();
      for (const [name, seeded] of Object.entries(estimators)) logs[name] = await run(seeded, steps);
      await tf.setBackend(backend);
    });

    it.each(Object.entries(estimators))('by %s give their bits here', async (name, seeded) => {
      const { bytes, end } = logs[name]!;
      expect(tf.getBackend()).toBe(backend);
      expect(bytes.length).toBe(12 + steps * 12);
      expect(await again(bytes, seeded)).toEqual(end);
    });

    // On cpu and wasm, and for more estimators: packages/forward-grad/src/log/log.test.ts.
    it.skipIf(backend === 'wasm')(`${steps} steps by rank-one signs here give their bits again`, async () => {
      const { bytes, end } = await run(weightPerturbation(), steps);
      expect(await again(bytes, weightPerturbation())).toEqual(end);
    });
  });
});
