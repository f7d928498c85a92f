import { describeEachBackend, expectClose, expectNoLeak, normals } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KernelArgumentError } from './check.ts';
import { adamStep, lionStep, momentumStep, sgdStep } from './steps.ts';

type Numbers = Float32Array;
type Lists = Record<string, Numbers[]>;

interface Hyper {
  learningRate: number;
  gradScale: number;
  decays: number[];
  beta: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  step: number;
  nesterov: boolean;
}

/** New value and slots of one number, in doubles. */
type Rule = (p: number, g: number, decay: number, slots: number[], h: Hyper) => number[];

interface Optimizer {
  slots: string[];
  run(lists: Record<string, tf.Tensor[]>, h: Hyper): Record<string, tf.Tensor[]>;
  rule: Rule;
}

const optimizers: Record<string, Optimizer> = {
  sgd: {
    slots: [],
    run: (lists, h) => sgdStep(lists as never, h),
    rule: (p, g, decay, _, h) => [p - h.learningRate * (g + decay * p)],
  },
  momentum: {
    slots: ['m'],
    run: (lists, h) => momentumStep(lists as never, h),
    rule(p, g, decay, [m], h) {
      const d = g + decay * p;
      const next = h.beta * m! + d;
      return [p - h.learningRate * (h.nesterov ? d + h.beta * next : next), next];
    },
  },
  adam: {
    slots: ['m', 'v'],
    run: (lists, h) => adamStep(lists as never, h),
    rule(p, g, decay, [m, v], h) {
      const m1 = h.beta1 * m! + (1 - h.beta1) * g;
      const v1 = h.beta2 * v! + (1 - h.beta2) * g * g;
      const root = Math.sqrt(v1 / (1 - h.beta2 ** h.step)) + h.epsilon;
      return [p - h.learningRate * (m1 / (1 - h.beta1 ** h.step) / root + decay * p), m1, v1];
    },
  },
  lion: {
    slots: ['m'],
    run: (lists, h) => lionStep(lists as never, h),
    rule(p, g, decay, [m], h) {
      const direction = Math.sign(Math.fround(Math.fround(h.beta1 * m!) + Math.fround((1 - h.beta1) * g)));
      return [p - h.learningRate * (direction + decay * p), h.beta2 * m! + (1 - h.beta2) * g];
    },
  },
};

const shapes = fc.array(fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 0, maxLength: 3 }), {
  minLength: 1,
  maxLength: 4,
});
const hypers = fc.record({
  learningRate: fc.constantFrom(0.1, 0.001),
  gradScale: fc.constantFrom(1, 0.25),
  decay: fc.constantFrom(0, 0.01),
  beta: fc.constant(0.9),
  beta1: fc.constantFrom(0.9, 0.5),
  beta2: fc.constantFrom(0.999, 0.95),
  epsilon: fc.constantFrom(1e-8, 1e-3),
  step: fc.integer({ min: 1, max: 1000 }),
  nesterov: fc.boolean(),
});

function make(shape: number[][], slots: string[], seed: number): Lists {
  const list = (salt: number) => shape.map((s, i) => normals(seed * 100 + salt * 10 + i, tf.util.sizeFromShape(s)));
  const lists: Lists = { params: list(0), grads: list(1) };
  for (const [i, slot] of slots.entries()) {
    lists[slot] = list(2 + i).map((values) => (slot === 'v' ? values.map((x) => x * x) : values));
  }
  return lists;
}

const tensors = (lists: Lists, shape: number[][]): Record<string, tf.Tensor[]> =>
  Object.fromEntries(
    Object.entries(lists).map(([name, list]) => [name, list.map((x, i) => tf.tensor(x.slice(), shape[i]!))]),
  );

describeEachBackend('optimizer steps', () => {
  for (const [name, { slots, run, rule }] of Object.entries(optimizers)) {
    const outputs = ['params', ...slots];

    it(`${name} agrees with its formula on random trees`, async () => {
      await fc.assert(
        fc.asyncProperty(shapes, hypers, fc.nat(1000), async (shape, { decay, ...rest }, seed) => {
          // Every other parameter decays.
          const h: Hyper = { ...rest, decays: shape.map((_, i) => (i % 2 === 0 ? decay : 0)) };
          const lists = make(shape, slots, seed);
          await expectNoLeak(async () => {
            const given = tensors(lists, shape);
            const result = run(given, h);
            for (const [i, s] of shape.entries()) {
              const expected = Array.from(lists.params![i]!, (p, e) =>
                rule(
                  p,
                  lists.grads![i]![e]! * h.gradScale,
                  h.decays[i]!,
                  slots.map((slot) => lists[slot]![i]![e]!),
                  h,
                ),
              );
              for (const [o, output] of outputs.entries()) {
                const tensor = result[output]![i]!;
                expect(tensor.shape).toEqual(s);
                // v̂ near 0 magnifies the rounding of v.
                await expectClose(
                  tensor,
                  expected.map((row) => row[o]!),
                  2e-5,
                );
              }
              await expectClose(given.grads![i]!, lists.grads![i]!, 0);
            }
            for (const output of outputs) {
              expect(
                given[output]!.every((tensor) => tensor.isDisposed),
                'donated',
              ).toBe(true);
            }
            tf.dispose([result, given.grads!]);
          });
        }),
        { numRuns: 15 },
      );
    });

    it(`${name} leaves aliases of what was donated alone`, async () => {
      const shape = [[3, 5], [4]];
      const h: Hyper = {
        learningRate: 0.1,
        gradScale: 1,
        decays: [0.1, 0],
        beta: 0.9,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        step: 3,
        nesterov: false,
      };
      const lists = make(shape, slots, 5);
      const alone = run(tensors(lists, shape), h);
      for (const alias of [tf.clone, (x: tf.Tensor) => tf.reshape(x, [-1])]) {
        const given = tensors(lists, shape);
        const aliases = outputs.map((output) => given[output]!.map(alias));
        const result = run(given, h);
        for (const [o, output] of outputs.entries()) {
          for (const i of shape.keys()) {
            await expectClose(aliases[o]![i]!, lists[output]![i]!, 0);
            await expectClose(result[output]![i]!, await alone[output]![i]!.data(), 0);
          }
        }
        tf.dispose([aliases, result, given.grads!]);
      }
      tf.dispose(alone);
    });

    it(`${name} runs many steps in the same memory`, async () => {
      const shape = [[16, 16], [16]];
      const h: Hyper = {
        learningRate: 0.1,
        gradScale: 1,
        decays: [0, 0],
        beta: 0.9,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        step: 1,
        nesterov: true,
      };
      const { grads, ...rest } = tensors(make(shape, slots, 1), shape);
      let state: Record<string, tf.Tensor[]> = rest;
      await expectNoLeak(() => {
        for (let step = 1; step <= 20; step++) state = run({ ...state, grads: grads! }, { ...h, step });
      });
      tf.dispose([state, grads!]);
    });
  }

  it('refuse what does not fit before anything is donated', async () => {
    await expectNoLeak(() => {
      const [p, g, m] = [tf.ones([2]), tf.ones([3]), tf.ones([2])];
      const options = { learningRate: 0.1, beta: 0.9, beta1: 0.9, beta2: 0.9, epsilon: 1e-8, step: 1 };
      expect(() => sgdStep({ params: [p], grads: [g] }, options)).toThrow(
        /grads\[0\] must have the shape \[2\], got \[3\]/,
      );
      expect(() => sgdStep({ params: [p], grads: [] }, options)).toThrow(/grads must be as many/);
      expect(() => sgdStep({ params: [p], grads: [p] }, options)).toThrow(/stands twice/);
      expect(() => sgdStep({ params: [p], grads: [m] }, { learningRate: Number.NaN })).toThrow(KernelArgumentError);
      expect(() => sgdStep({ params: [p], grads: [m] }, { ...options, decays: [] })).toThrow(/decays must be as many/);
      expect(() => lionStep({ params: [p], grads: [g], m: [p] }, options)).toThrow(KernelArgumentError);
      expect(() => adamStep({ params: [p], grads: [m], m: [p], v: [p] }, { ...options, step: 0 })).toThrow(
        /count from 1/,
      );
      expect(p.isDisposed || g.isDisposed || m.isDisposed).toBe(false);
      expect(sgdStep({ params: [], grads: [] }, options)).toEqual({ params: [] });
      tf.dispose([p, g, m]);
    });
  });

  it('leave a variable to its owner, who assigns the result', async () => {
    await expectNoLeak(async () => {
      const start = tf.tensor1d([1, 2]);
      const variable = tf.variable(start);
      start.dispose();
      const g = tf.tensor1d([1, 1]);
      for (let i = 0; i < 3; i++) {
        const [moved] = sgdStep({ params: [variable], grads: [g] }, { learningRate: 0.25 }).params;
        variable.assign(moved as tf.Tensor1D);
        moved!.dispose();
      }
      await expectClose(variable, [0.25, 1.25]);
      tf.dispose([variable, g]);
    });
  });
});
