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

  it('multiplies rows by the matrix of their segment, and reads no other', async () => {
    await trainable(options);
    const lengths = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30 })), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        lengths,
        size,
        size,
        fc.boolean(),
        fc.constantFrom('linear', 'relu', 'gelu'),
        async (counts, k, n, transposeW, activation) => {
          const ends = counts.map((_, s) => counts.slice(0, s + 1).reduce((a, b) => a + b));
          const rows = ends.at(-1)!;
          const x = () => tensor([rows, k], 1);
          const bias = () => tensor([counts.length, n], 3);
          const poisoned = numbers(counts.length * k * n, 2);
          counts.forEach((count, s) => {
            if (count === 0) poisoned.fill(Number.NaN, s * k * n, (s + 1) * k * n);
          });
          const w = () => tf.tensor3d(poisoned, transposeW ? [counts.length, n, k] : [counts.length, k, n]);
          const ours = await onBackend('wasm', () =>
            runKernel<tf.Tensor>(
              KernelName.SegmentMatMul,
              { x: x(), w: w(), bias: bias() },
              { ends, transposeW, activation },
            ),
          );
          const act = { linear: (t: tf.Tensor) => t, relu: tf.relu, gelu: geluOf }[activation] as (
            t: tf.Tensor,
          ) => tf.Tensor;
          const plain = await onBackend('cpu', () => {
            const parts = counts.flatMap((count, s) => {
              if (count === 0) return [];
              const from = ends[s]! - count;
              const matrix = tf.squeeze(tf.slice(w(), [s, 0, 0], [1, -1, -1]), [0]) as tf.Tensor2D;
              const y = tf.matMul(tf.slice(x(), [from, 0], [count, k]) as tf.Tensor2D, matrix, false, transposeW);
              return [act(tf.add(y, tf.slice(bias(), [s, 0], [1, n])))];
            });
            return rows === 0 ? tf.zeros([0, n]) : tf.concat(parts, 0);
          });
          expect(ours.length).toBe(rows * n);
          expect(await largestDifference(ours, plain)).toBeLessThan(1e-5);
        },
      ),
      { numRuns: runs(25) },
    );
  });

  it('gives the gradient of the segments’ matrices', async () => {
    await trainable(options);
    for (const ends of [[3, 3, 10], [0, 70], [5]]) {
      const rows = ends.at(-1)!;
      const ours = await onBackend('wasm', () =>
        runKernel<tf.Tensor>(
          KernelName.SegmentMatMulWeightGrad,
          { x: tensor([rows, 9], 1), dy: tensor([rows, 11], 2) },
          { ends },
        ),
      );
      const plain = await onBackend('cpu', () => {
        const [x, dy] = [tensor([rows, 9], 1), tensor([rows, 11], 2)] as [tf.Tensor2D, tf.Tensor2D];
        return tf.stack(
          ends.map((end, s) => {
            const from = ends[s - 1] ?? 0;
            if (end === from) return tf.zeros([9, 11]);
            return tf.matMul(tf.slice(x, [from, 0], [end - from, 9]), tf.slice(dy, [from, 0], [end - from, 11]), true);
          }),
        );
      });
      expect(await largestDifference(ours, plain)).toBeLessThan(1e-5);
    }
  });

  it('refuses ends that do not fit', async () => {
    await trainable(options);
    tf.tidy(() => {
      const inputs = { x: tf.ones([4, 2]), w: tf.ones([2, 2, 2]) };
      for (const ends of [[4], [3, 2], [2, 3], [2, 5]]) {
        expect(() =>
          runKernel(KernelName.SegmentMatMul, inputs, { ends, transposeW: false, activation: 'linear' }),
        ).toThrow(/end/);
      }
    });
  });
});

function geluOf(x: tf.Tensor): tf.Tensor {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
}
