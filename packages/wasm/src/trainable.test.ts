import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { addNoise, convReluPool, ensureGradients, gatherRows, key, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { HeapFullError, restore, trainable, WorkerCrashError, wasm } from './index.ts';
import { firstDifference, numbers } from './testing.ts';
import { currentRuntime } from './trainable.ts';

afterEach(restore);

async function product(size = 200): Promise<Float32Array> {
  const y = tf.tidy(() => {
    const a = tf.tensor2d(numbers(size * size, 1), [size, size]);
    return tf.matMul(a, a, true);
  });
  const values = (await y.data()) as Float32Array;
  y.dispose();
  return values;
}

describe('trainable', () => {
  it('says what it chose and why', async () => {
    const report = await trainable({ threads: 2, relaxed: false });
    expect(report).toMatchObject({ threads: 2, relaxed: false, sharedHeap: true });
    expect(report.threadsReason).toMatch(/asked/);
    expect(report.kernels).toBeGreaterThan(50);
    expect(tf.getBackend()).toBe('wasm');
    expect(await trainable({ threads: 2, relaxed: false })).toBe(report);
  });

  it('changes its options, one call after the other', async () => {
    const [one, two] = await Promise.all([trainable({ threads: 1 }), trainable({ threads: 2 })]);
    expect([one.threads, two.threads]).toEqual([1, 2]);
    expect(currentRuntime()!.threads).toBe(2);
  });

  it('is a provider for useBackend', async () => {
    const started = await useBackend(wasm({ threads: 1 }));
    expect(started.details['threads']).toBe(1);
    expect(started.reason).toMatch(/WebAssembly/);
    expect((await wasm().describe()).available).toBe(true);
  });

  it('starts no worker for little work', async () => {
    await trainable();
    await product(50);
    expect(currentRuntime()!.pool?.started ?? false).toBe(false);
  });

  it('refuses a number of threads that is none', async () => {
    await expect(trainable({ threads: 0 })).rejects.toThrow(/threads must be/);
    await expect(trainable({ threads: 1.5 })).rejects.toThrow(/threads must be/);
  });

  it('leaves no listeners of tfjs behind', async () => {
    const before = process.listenerCount('uncaughtException');
    await trainable();
    expect(process.listenerCount('uncaughtException')).toBe(before);
  });

  it('is undone by restore', async () => {
    await trainable({ threads: 1 });
    restore();
    const stock = tf.getKernel('BatchMatMul', 'wasm');
    expect(tf.getKernel('Einsum', 'wasm')).toBeUndefined();
    const before = await product(20);
    await trainable({ threads: 1 });
    expect(tf.getKernel('BatchMatMul', 'wasm')).not.toBe(stock);
    const ours = await product(20);
    restore();
    restore();
    expect(tf.getKernel('BatchMatMul', 'wasm')).toBe(stock);
    expect(firstDifference(await product(20), before)).toBe(-1);
    for (const [i, x] of ours.entries()) expect(x).toBeCloseTo(before[i]!, 4);
  });
});

describe('errors', () => {
  it('a worker that crashes is an error, and the rest runs on', async () => {
    await trainable({ threads: 2 });
    const expected = await product();
    const runtime = currentRuntime()!;
    // On a busy machine the worker may come too late for a call.
    const fault = () => {
      for (let i = 0; i < 100; i++) runtime.fault();
    };
    expect(fault).toThrow(WorkerCrashError);
    expect(runtime.pool!.broken).toMatch(/trapped/);
    expect(firstDifference(await product(), expected)).toBe(-1);
    const again = await trainable({ threads: 2 });
    expect(again.threads).toBe(2);
    expect(currentRuntime()!.pool!.broken).toBeUndefined();
    expect(firstDifference(await product(), expected)).toBe(-1);
  });

  it('a full heap is an error that changes nothing', async () => {
    await trainable({ threads: 1 });
    const kept = tf.tensor1d(numbers(1000, 1));
    const runtime = currentRuntime()!;
    const before = tf.memory();
    const large: tf.TensorInfo[] = [];
    const fill = () => {
      // 256 MB at a time; nothing is written, so no memory is really used.
      for (let i = 0; i < 100; i++) large.push(runtime.output([2 ** 26]));
    };
    expect(fill).toThrow(HeapFullError);
    expect(large.length).toBeGreaterThan(10);
    expect(() => tf.tidy(() => tf.matMul(tf.zeros([20_000, 1]), tf.zeros([1, 20_000])))).toThrow(/heap/);
    for (const x of large) runtime.release(x);
    expect(tf.memory()).toEqual(before);
    expect(firstDifference((await kept.data()) as Float32Array, numbers(1000, 1))).toBe(-1);
    expect((await product()).length).toBe(40_000);
    // What was freed can be had again, although the heap may not grow further.
    runtime.release(runtime.output([2 ** 26]));
    kept.dispose();
  });
});

describe('a long run', () => {
  it('keeps tensors and heap flat', async () => {
    await useBackend(wasm({ threads: 2 }));
    await ensureGradients();
    const steps = process.env['FRUGAL_DEEP'] === '1' ? 10_000 : 1000;
    const shapes = [[3, 3, 1, 6], [6], [96, 32]];
    const params = shapes.map((shape, i) => tf.tensor(numbers(tf.util.sizeFromShape(shape), i), shape));
    const variables = params.map((p) => tf.variable(p));
    const [w, bias, matrix] = variables as unknown as [tf.Tensor4D, tf.Tensor1D, tf.Tensor2D];
    const x = tf.tensor4d(numbers(4 * 8 * 8, 2), [4, 8, 8, 1]);
    const optimizer = tf.train.adam(0.001, 0.9, 0.999, 1e-8);
    const step = () => {
      const images = convReluPool({ x, w, bias }, { pad: 'same', pool: 2 });
      images.dispose();
      const loss = optimizer.minimize(() => {
        const y = convReluPool({ x, w, bias }, { pad: 'same', pool: 2 });
        const rows = gatherRows(tf.reshape(y, [4, 96]), Int32Array.of(0, 2, 3, 3));
        return tf.mean(tf.square(tf.tanh(tf.matMul(rows, matrix))));
      }, true)!;
      // It takes the loss, and writes where that was.
      addNoise(loss, key(1), { scale: 0.1, noise: 'normal' }).dispose();
    };
    for (let i = 0; i < 20; i++) step();
    const before = { ...tf.memory(), heap: currentRuntime()!.floats.length };
    for (let i = 0; i < steps; i++) step();
    expect({ ...tf.memory(), heap: currentRuntime()!.floats.length }).toEqual(before);
    optimizer.dispose();
    tf.dispose([params, variables, x]);
  }, 300_000);
});

describe('in processes of their own', () => {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const tsx = pathToFileURL(createRequire(new URL('../../../package.json', import.meta.url)).resolve('tsx')).href;
  const run = async (code: string) => {
    const args = ['--import', tsx, '--conditions=@frugal/source', '--input-type=module', '-e', code];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, timeout: 60_000 });
    return stdout.trim().split('\n').at(-1);
  };

  it('a process with workers ends by itself', async () => {
    const code = `
      import * as tf from '@tensorflow/tfjs-core';
      import { trainable } from '@frugal/wasm';
      const { threads } = await trainable({ threads: 3 });
      const y = tf.matMul(tf.ones([300, 300]), tf.ones([300, 300]));
      console.log(threads, (await y.data())[89999]);`;
    expect(await run(code)).toBe('3 300');
  });

  it('a full heap is an error from the first tensor on', async () => {
    const code = `
      import * as tf from '@tensorflow/tfjs-core';
      import { HeapFullError, trainable } from '@frugal/wasm';
      await trainable({ threads: 1 });
      let made = 0;
      try { for (; made < 100; made++) tf.backend().makeOutput([2 ** 26], 'float32'); }
      catch (error) { console.log(error instanceof HeapFullError, made > 10); }`;
    expect(await run(code)).toBe('true true');
  });

  it('a backend that had tensors before is served as it is', async () => {
    const code = `
      import * as tf from '@tensorflow/tfjs-core';
      import '@tensorflow/tfjs-backend-wasm';
      import { trainable } from '@frugal/wasm';
      await tf.setBackend('wasm');
      const a = tf.ones([300, 300]);
      const report = await trainable({ threads: 2 });
      const y = tf.matMul(a, a, true);
      console.log(report.threads, report.sharedHeap, /running already/.test(report.threadsReason), (await y.data())[89999]);`;
    expect(await run(code)).toBe('1 false true 300');
  });

  it('a backend without tensors is started anew, with shared memory', async () => {
    const code = `
      import * as tf from '@tensorflow/tfjs-core';
      import '@tensorflow/tfjs-backend-wasm';
      import { trainable } from '@frugal/wasm';
      await tf.setBackend('wasm');
      const report = await trainable({ threads: 2 });
      const y = tf.matMul(tf.ones([300, 300]), tf.ones([300, 300]), true);
      console.log(report.threads, report.sharedHeap, (await y.data())[89999]);`;
    expect(await run(code)).toBe('2 true 300');
  });
});
