import { KernelName } from '@frugal/tensor';
import '@tensorflow/tfjs-backend-cpu';
import { largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { firstDifference, numbers, onBackend, runKernel, runs, variants } from '../testing.ts';

const size = fc.integer({ min: 1, max: 40 });
const tensor = (shape: number[], seed: number) =>
  tf.tensor(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  );

describe.each(variants)('products per segment, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

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

describe('segments of the size that threads share', () => {
  afterAll(restore);

  it('have the same bits on one thread and on two, and those of a matmul', async () => {
    const counts = [0, 310, 7, 0, 95, 31, 1, 180, 0];
    const ends = counts.map((_, s) => counts.slice(0, s + 1).reduce((a, b) => a + b));
    const [rows, k, n] = [ends.at(-1)!, 70, 130];
    const all = async (threads: number): Promise<Float32Array[]> => {
      await trainable({ threads });
      const [x, dy] = [tensor([rows, k], 1), tensor([rows, n], 2)] as [tf.Tensor2D, tf.Tensor2D];
      const w = tensor([counts.length, k, n], 3);
      const matrix = (s: number): tf.Tensor2D => tf.squeeze(tf.slice(w, [s, 0, 0], [1, -1, -1]), [0]);
      const part = (t: tf.Tensor2D, s: number): tf.Tensor2D =>
        tf.slice(t, [ends[s]! - counts[s]!, 0], [counts[s]!, -1]);
      const outputs = tf.tidy(() => [
        runKernel<tf.Tensor>(KernelName.SegmentMatMul, { x, w }, { ends, transposeW: false, activation: 'linear' }),
        tf.concat(counts.flatMap((count, s) => (count === 0 ? [] : [tf.matMul(part(x, s), matrix(s))]))),
        runKernel<tf.Tensor>(KernelName.SegmentMatMulWeightGrad, { x, dy }, { ends }),
        tf.stack(counts.map((count, s) => (count ? tf.matMul(part(x, s), part(dy, s), true) : tf.zeros([k, n])))),
      ]);
      const values = await Promise.all(outputs.map(async (t) => (await t.data()) as Float32Array));
      tf.dispose([x, dy, w, outputs]);
      return values;
    };
    const [one, two] = [await all(1), await all(2)];
    for (const values of [one, two]) {
      expect(firstDifference(values[0]!, values[1]!)).toBe(-1);
      expect(firstDifference(values[2]!, values[3]!)).toBe(-1);
    }
    for (const [i, values] of one.entries()) expect(firstDifference(values, two[i]!), `output ${i}`).toBe(-1);
  });
});

function geluOf(x: tf.Tensor): tf.Tensor {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
  return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
}
