import { KernelName } from '@frugal/tensor';
import { expectNoLeak, largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { numbers, runKernel, variants } from '../testing.ts';

const shapes = [[3], [5, 7], [], [4097], [130, 131], [0]];
const size = (shape: number[]) => shape.reduce((a, b) => a * b, 1);
const decays = [0, 0.1, 0, 0.02, 0.3, 0];
const common = { count: shapes.length, learningRate: 0.05, gradScale: 0.5, decays };

/** One element in doubles: [p, slots …] → the same after a step. */
type Update = (p: number, g: number, slots: number[], decay: number) => number[];
const [lr, beta1, beta2, epsilon, t] = [0.05, 0.9, 0.99, 1e-6, 3];

const kernels: { name: string; slots: number; attrs: object; update: Update }[] = [
  { name: KernelName.SgdStep, slots: 0, attrs: {}, update: (p, g, _, decay) => [p - lr * (g + decay * p)] },
  ...[false, true].map((nesterov) => ({
    name: KernelName.MomentumStep,
    slots: 1,
    attrs: { beta: beta1, nesterov },
    update: (p: number, g: number, [m]: number[], decay: number) => {
      const d = g + decay * p;
      const next = beta1 * m! + d;
      return [p - lr * (nesterov ? d + beta1 * next : next), next];
    },
  })),
  {
    name: KernelName.AdamStep,
    slots: 2,
    attrs: { beta1, beta2, epsilon, step: t },
    update: (p, g, [m, v], decay) => {
      const [a, b] = [beta1 * m! + (1 - beta1) * g, beta2 * v! + (1 - beta2) * g * g];
      const u = a / (1 - beta1 ** t) / (Math.sqrt(b / (1 - beta2 ** t)) + epsilon);
      return [p - lr * (u + decay * p), a, b];
    },
  },
  {
    name: KernelName.LionStep,
    slots: 1,
    attrs: { beta1, beta2 },
    update: (p, g, [m], decay) => [
      p - lr * (Math.sign(beta1 * m! + (1 - beta1) * g) + decay * p),
      beta2 * m! + (1 - beta2) * g,
    ],
  },
];

/** Parameters, gradients and slots, the second slot being positive as a second moment is. */
const values = (groups: number) =>
  Array.from({ length: groups }, (_, group) =>
    shapes.map((shape, i) => numbers(size(shape), 10 * group + i).map((x) => (group === 3 ? Math.abs(x) : x))),
  );

describe.each(variants)('optimizer steps, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it.each(kernels.filter(({ slots }) => slots > 0))(
    '$name $attrs lets slots of idle weights reach zero',
    async (kernel) => {
      await trainable(options);
      const { name, slots, attrs } = kernel;
      await expectNoLeak(async () => {
        const n = 7;
        const [p, g] = [tf.ones([n]), tf.tensor1d([0, 0, 0, 0, 1e-30, Number.NaN, 0])];
        const idle = Array.from({ length: slots }, () => tf.fill([n], 1.2e-38));
        const one = { count: 1, learningRate: 0.05, gradScale: 1, decays: [0] };
        const outputs = runKernel<tf.Tensor[]>(name, [p, g, ...idle], {
          ...one,
          ...attrs,
          beta1: 0.5,
          beta2: 0.5,
          beta: 0.5,
        });
        for (const slot of outputs.slice(1)) {
          const after = [...(await slot.data())];
          expect(after.slice(0, 4)).toEqual([0, 0, 0, 0]);
          expect([after[5], after[6]]).toEqual([Number.NaN, 0]);
        }
        expect((await outputs[1]!.data())[4]).toBeGreaterThan(1e-31);
        tf.dispose([p, g, ...idle, ...outputs]);
      });
    },
  );

  it.each(kernels)('$name $attrs is its formula, in place', async ({ name, slots, attrs, update }) => {
    await trainable(options);
    const start = values(2 + slots);
    const expected = shapes.map((shape, i) => {
      const columns = Array.from({ length: 1 + slots }, () => new Float32Array(size(shape)));
      for (let e = 0; e < size(shape); e++) {
        const own = start.slice(2).map((group) => group[i]![e]!);
        update(start[0]![i]![e]!, start[1]![i]![e]! * 0.5, own, decays[i]!).forEach((x, c) => {
          columns[c]![e] = x;
        });
      }
      return columns;
    });
    await expectNoLeak(async () => {
      const inputs = start.flatMap((group) => group.map((x, i) => tf.tensor(x, shapes[i]!)));
      const outputs = runKernel<tf.Tensor[]>(name, inputs, { ...common, ...attrs });
      expect(outputs.length).toBe(shapes.length * (1 + slots));
      for (const [o, out] of outputs.entries()) {
        const group = Math.floor(o / shapes.length);
        const i = o % shapes.length;
        expect(out.dataId).toBe(inputs[(group === 0 ? 0 : 1 + group) * shapes.length + i]!.dataId);
        expect(out.shape).toEqual(shapes[i]);
        expect(await largestDifference(out, expected[i]![group]!), `${i}, ${group}`).toBeLessThan(2e-6);
      }
      tf.dispose([inputs, outputs]);
    });
  });

  it('leaves clones alone, and equals itself in place', async () => {
    await trainable(options);
    const x = numbers(5000, 1);
    const g = numbers(5000, 2);
    const attrs = { count: 1, learningRate: 0.1, gradScale: 1, decays: [0.1] };
    const run = async (shared: boolean) => {
      const p = tf.tensor1d(x);
      const clone = shared ? tf.reshape(p, [50, 100]) : undefined;
      const gradient = tf.tensor1d(g);
      const [out] = runKernel<tf.Tensor[]>(KernelName.SgdStep, [p, gradient], attrs);
      expect(out!.dataId === p.dataId).toBe(!shared);
      if (clone) expect(await clone.data()).toEqual(x);
      const result = await out!.data();
      tf.dispose([p, gradient, out!, ...(clone ? [clone] : [])]);
      return result;
    };
    expect(await run(true)).toEqual(await run(false));
  });

  it('does not write into a tensor that is also an input elsewhere', async () => {
    await trainable(options);
    const p = tf.tensor1d([1, 2, 3, 4]);
    const [out] = runKernel<tf.Tensor[]>(KernelName.SgdStep, [p, p], {
      count: 1,
      learningRate: 0.5,
      gradScale: 1,
      decays: [0],
    });
    expect([...(await out!.data())]).toEqual([0.5, 1, 1.5, 2]);
    expect([...(await p.data())]).toEqual([1, 2, 3, 4]);
    tf.dispose([p, out!]);
  });

  it('makes stock kernels see new weights', async () => {
    await trainable(options);
    const filter = tf.ones([3, 3, 2, 2]) as tf.Tensor4D;
    const image = tf.ones([1, 5, 5, 2]) as tf.Tensor4D;
    const sum = async (f: tf.Tensor4D) => {
      const y = tf.tidy(() => tf.sum(tf.depthwiseConv2d(image, f, 1, 'valid')));
      const [value] = await y.data();
      y.dispose();
      return value!;
    };
    const before = await sum(filter);
    const gradient = tf.ones([3, 3, 2, 2]);
    const [next] = runKernel<tf.Tensor4D[]>(KernelName.SgdStep, [filter, gradient], {
      count: 1,
      learningRate: 0.5,
      gradScale: 1,
      decays: [0],
    });
    expect(next!.dataId).toBe(filter.dataId);
    expect(await sum(next!)).toBeCloseTo(before / 2, 3);
    tf.dispose([filter, image, gradient, next!]);
  });

  it('refuses unequal shapes and other dtypes', async () => {
    await trainable(options);
    const attrs = { count: 1, learningRate: 0.5, gradScale: 1, decays: [0] };
    tf.tidy(() => {
      expect(() => runKernel(KernelName.SgdStep, [tf.ones([2]), tf.ones([3])], attrs)).toThrow(/equal shapes/);
      expect(() => runKernel(KernelName.SgdStep, [tf.ones([2]), tf.ones([2], 'int32')], attrs)).toThrow(/float32/);
      expect(() => runKernel(KernelName.SgdStep, [tf.ones([2])], attrs)).toThrow(/takes 1/);
    });
  });
});
