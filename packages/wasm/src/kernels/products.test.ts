import { KernelName } from '@frugal/tensor';
import '@tensorflow/tfjs-backend-cpu';
import { expectNoLeak, largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { numbers, onBackend, runKernel, runs, variants } from '../testing.ts';

const size = fc.integer({ min: 1, max: 40 });
const tensor = (shape: number[], seed: number) =>
  tf.tensor(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );

describe.each(variants)('products, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it('gives a product and its tangent', async () => {
    await trainable(options);
    const flags = fc.record({
      ta: fc.boolean(),
      tb: fc.boolean(),
      da: fc.boolean(),
      db: fc.boolean(),
      bias: fc.boolean(),
      dbias: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(size, size, size, flags, async (m, n, k, { ta, tb, ...has }) => {
        const make = () => ({
          a: tensor(ta ? [k, m] : [m, k], 1),
          b: tensor(tb ? [n, k] : [k, n], 2),
          ...(has.da && { da: tensor(ta ? [k, m] : [m, k], 3) }),
          ...(has.db && { db: tensor(tb ? [n, k] : [k, n], 4) }),
          ...(has.bias && { bias: tensor([n], 5) }),
          ...(has.dbias && { dbias: tensor([n], 6) }),
        });
        const ours = await onBackend('wasm', () => {
          const [y, dy] = runKernel<tf.Tensor[]>(KernelName.MatMulTangent, make() as Record<string, tf.Tensor>, {
            transposeA: ta,
            transposeB: tb,
          });
          return tf.stack([y!, dy!]);
        });
        const plain = await onBackend('cpu', () => {
          const { a, b, da, db, bias, dbias } = make() as Record<string, tf.Tensor | undefined> & {
            a: tf.Tensor;
            b: tf.Tensor;
          };
          const zero = tf.zeros([m, n]);
          const times = (x: tf.Tensor, y: tf.Tensor) => tf.matMul(x, y, ta, tb);
          const y = tf.add(times(a, b), bias ?? zero);
          const dy = tf.addN([da ? times(da, b) : zero, db ? times(a, db) : zero, tf.add(zero, dbias ?? zero)]);
          return tf.stack([y, dy]);
        });
        expect(await largestDifference(ours, plain)).toBeLessThan(1e-5);
      }),
      { numRuns: runs(25) },
    );
  });

  it('adds a product, in place where it may', async () => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(size, size, size, fc.boolean(), fc.boolean(), async (m, n, k, ta, tb) => {
        const make = () =>
          [tensor([m, n], 1), tensor(ta ? [k, m] : [m, k], 2), tensor(tb ? [n, k] : [k, n], 3)] as const;
        const ours = await onBackend('wasm', () => {
          const [c, a, b] = make();
          const out = runKernel<tf.Tensor>(
            KernelName.MatMulAccumulate,
            { c, a, b },
            { transposeA: ta, transposeB: tb, alpha: -0.7 },
          );
          expect(out.dataId).toBe(c.dataId);
          return out;
        });
        const plain = await onBackend('cpu', () => {
          const [c, a, b] = make();
          return tf.sub(c, tf.mul(0.7, tf.matMul(a, b, ta, tb)));
        });
        expect(await largestDifference(ours, plain)).toBeLessThan(1e-5);
      }),
      { numRuns: runs(25) },
    );
  });

  it('does not write into c while a reads it, nor into a clone', async () => {
    await trainable(options);
    await expectNoLeak(async () => {
      const c = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const out = runKernel<tf.Tensor>(
        KernelName.MatMulAccumulate,
        { c, a: c, b: c },
        { transposeA: false, transposeB: false, alpha: 1 },
      );
      expect([...(await out.data())]).toEqual([8, 12, 18, 26]);
      expect([...(await c.data())]).toEqual([1, 2, 3, 4]);
      tf.dispose([c, out]);
    });
  });
});
