// Runs in a page or in a worker of it: what the tests of the wasm backend in a browser ask for, by name.
import { ensureGradients } from '@frugal/tensor';
import { HeapFullError, restore, trainable, WorkerCrashError } from '@frugal/wasm';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import * as tf from '@tensorflow/tfjs-core';
import { currentRuntime } from '../../packages/wasm/src/trainable.ts';
import { complexGradients, gradientNames, gradientSamples, valueAndGradients } from '../support/gradient-samples.ts';
import { checkRandomShapes } from './random-shapes.ts';
import { differenceOnBackends, sameBits, values } from './values.ts';

/** tfjs's own, before ours are repaired. */
const names = gradientNames().filter((name) => !complexGradients.includes(name));

/** As many threads as are to be had, at most two. */
async function start(options: { relaxed?: boolean; threads?: number } = {}) {
  setWasmPaths('/');
  const report = await trainable({ threads: 2, ...options });
  await ensureGradients();
  return report;
}

/** What threads share: large products, convolutions with gradients, an optimizer's step, random numbers. */
async function largeResults(): Promise<Float32Array[]> {
  const made = tf.tidy(() => {
    const a = tf.reshape(tf.sin(tf.range(0, 90_000)), [300, 300]) as tf.Tensor2D;
    const x = tf.reshape(tf.sin(tf.range(0, 4 * 20 * 20 * 8)), [4, 20, 20, 8]) as tf.Tensor4D;
    const w = tf.reshape(tf.cos(tf.range(0, 9 * 8 * 16)), [3, 3, 8, 16]) as tf.Tensor4D;
    const loss = (x: tf.Tensor, w: tf.Tensor) => {
      const y = tf.relu(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same')) as tf.Tensor4D;
      return tf.mean(tf.square(tf.maxPool(y, 2, 2, 'valid')));
    };
    const products = [tf.matMul(a, a), tf.matMul(a, a, true), tf.matMul(a, a, false, true), tf.softmax(a)];
    return [...products, tf.sum(a), ...tf.grads(loss)([x, w])];
  });
  const results = await Promise.all(made.map(values));
  tf.dispose(made);
  return results;
}

async function train(): Promise<number[]> {
  const w = tf.variable(tf.fill([3, 3, 1, 2], 0.1)) as tf.Variable<tf.Rank.R4>;
  const image = tf.ones([4, 8, 8, 1]) as tf.Tensor4D;
  const optimizer = tf.train.sgd(0.01);
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) {
    const loss = optimizer.minimize(() => tf.mean(tf.square(tf.sub(tf.conv2d(image, w, 1, 'same'), 1))), true)!;
    losses.push((await loss.data())[0]!);
    loss.dispose();
  }
  tf.dispose([w, image]);
  return losses;
}

const tests = {
  /** Starts, trains a convolution a little, and compares two threads with one. */
  async basics() {
    const report = await start();
    const two = await largeResults();
    const losses = await train();
    await start({ threads: 1 });
    const one = await largeResults();
    restore();
    return {
      report,
      same: two.every((x, i) => sameBits(x, one[i]!)),
      finite: one.flatMap((x) => [...x]).every(Number.isFinite),
      losses,
    };
  },

  /** Every gradient of tfjs: which have no sample, and which differ from the cpu backend by how much. */
  async registry() {
    await start();
    const wrong: string[] = [];
    for (const [name, sample] of Object.entries(gradientSamples)) {
      const difference = await differenceOnBackends(() => valueAndGradients(sample)).catch((error) => String(error));
      if (!(typeof difference === 'number' && difference < 3e-5)) wrong.push(`${name}: ${difference}`);
    }
    restore();
    return { names: names.length, missing: names.filter((name) => !(name in gradientSamples)), wrong };
  },

  /** Random shapes against the cpu backend, either binary; throws where they differ. */
  async shapes() {
    const checked: string[] = [];
    for (const options of [
      { relaxed: false, threads: 1 },
      { relaxed: true, threads: 2 },
    ]) {
      await start(options);
      checked.push(...(await checkRandomShapes()));
    }
    restore();
    return checked;
  },

  /** A worker that traps: an error, and the program goes on. */
  async crash() {
    const { threads } = await start();
    if (threads === 1) return { threads };
    const before = await largeResults();
    let error: unknown;
    try {
      // The worker may come too late for a call.
      for (let i = 0; i < 1000; i++) currentRuntime()!.fault();
    } catch (caught) {
      error = caught;
    }
    const after = await largeResults();
    const again = await start();
    restore();
    return {
      ...{ threads, crashed: error instanceof WorkerCrashError, again: again.threads },
      same: before.every((x, i) => sameBits(x, after[i]!)),
    };
  },

  /** A heap without room: an error that changes nothing. */
  async full() {
    await start({ threads: 1 });
    const kept = tf.tensor1d([1, 2, 3]);
    const runtime = currentRuntime()!;
    const before = tf.memory().numDataBuffers;
    const large: tf.TensorInfo[] = [];
    let error: unknown;
    try {
      for (let i = 0; i < 100; i++) large.push(runtime.output([2 ** 26]));
    } catch (caught) {
      error = caught;
    }
    const held = large.length;
    for (const x of large) runtime.release(x);
    const after = tf.memory().numDataBuffers;
    const result = {
      full: error instanceof HeapFullError,
      held,
      same: before === after,
      kept: [...(await values(kept))],
    };
    kept.dispose();
    restore();
    return result;
  },
};

type Test = keyof typeof tests;
const scope = globalThis as unknown as { check: (name: Test) => Promise<object>; document?: unknown };
scope.check = (name) => tests[name]();

if (scope.document === undefined) {
  addEventListener('message', ({ data }: MessageEvent<Test>) => {
    scope.check(data).then(
      (result) => postMessage({ result }),
      (error) => postMessage({ error: String(error?.stack ?? error) }),
    );
  });
}
