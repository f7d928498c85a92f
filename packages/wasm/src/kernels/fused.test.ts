// Softmax cross-entropy, layer norm and GELU against their formulas in doubles.
import { KernelName } from '@frugal/tensor';
import { expectNoLeak, largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { firstDifference, numbers, runKernel, runs, variants } from '../testing.ts';

const shape = fc.tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 40 }));
const sum = (x: readonly number[]) => x.reduce((a, b) => a + b, 0);

describe.each(variants)('fused kernels, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it('softmax cross-entropy and its gradient', async () => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(shape, fc.constantFrom(0.1, 3, 60), async ([rows, columns], size) => {
        const x = numbers(rows * columns, 1).map((v) => v * size);
        const labels = Int32Array.from({ length: rows }, (_, i) => (i * 7) % columns);
        const losses: number[] = [];
        const gradient: number[] = [];
        for (let r = 0; r < rows; r++) {
          const row = [...x.subarray(r * columns, (r + 1) * columns)];
          const top = Math.max(...row);
          const z = sum(row.map((v) => Math.exp(v - top)));
          losses.push(Math.log(z) + top - row[labels[r]!]!);
          gradient.push(...row.map((v, c) => Math.exp(v - top) / z - (c === labels[r] ? 1 : 0)));
        }
        await expectNoLeak(async () => {
          const inputs = { logits: tf.tensor2d(x, [rows, columns]), labels: tf.tensor1d(labels, 'int32') };
          const [loss, grad] = runKernel<tf.Tensor[]>(KernelName.SoftmaxCrossEntropy, inputs);
          expect(await largestDifference(loss!, losses)).toBeLessThan(2e-6);
          expect(await largestDifference(grad!, gradient)).toBeLessThan(1e-6);
          tf.dispose([inputs, loss!, grad!]);
        });
      }),
      { numRuns: runs(20) },
    );
  });

  it('softmax cross-entropy of extreme logits, and labels that are not there', async () => {
    await trainable(options);
    const inputs = { logits: tf.tensor2d([1e4, 0, -1e4, 0, 0, 88], [2, 3]), labels: tf.tensor1d([2, 2], 'int32') };
    const [loss, grad] = runKernel<tf.Tensor[]>(KernelName.SoftmaxCrossEntropy, inputs);
    expect([...(await loss!.data())]).toEqual([2e4, 0]);
    expect([...(await grad!.data())].map((v) => Math.round(v * 1e6) / 1e6 + 0)).toEqual([1, 0, -1, 0, 0, 0]);
    const wrong = { ...inputs, labels: tf.tensor1d([0, 3], 'int32') };
    expect(() => runKernel(KernelName.SoftmaxCrossEntropy, wrong)).toThrow(/\[0, 3\)/);
    tf.dispose([inputs, wrong, loss!, grad!]);
  });

  it('layer norm and its gradient', async () => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(shape, fc.constantFrom(0, 5), async ([rows, d], shift) => {
        const epsilon = 1e-5;
        const x = numbers(rows * d, 1).map((v) => v + shift);
        const [scale, offset, dy] = [numbers(d, 2), numbers(d, 3), numbers(rows * d, 4)];
        const y: number[] = [];
        const dx: number[] = [];
        const dscale = new Array<number>(d).fill(0);
        const doffset = new Array<number>(d).fill(0);
        for (let r = 0; r < rows; r++) {
          const row = [...x.subarray(r * d, (r + 1) * d)];
          const g = [...dy.subarray(r * d, (r + 1) * d)];
          const mean = sum(row) / d;
          const sigma = Math.sqrt(sum(row.map((v) => (v - mean) ** 2)) / d + epsilon);
          const h = row.map((v) => (v - mean) / sigma);
          const u = g.map((v, i) => v * scale[i]!);
          const [mu, muh] = [sum(u) / d, sum(u.map((v, i) => v * h[i]!)) / d];
          for (let i = 0; i < d; i++) {
            y.push(h[i]! * scale[i]! + offset[i]!);
            dx.push((u[i]! - mu - h[i]! * muh) / sigma);
            dscale[i]! += g[i]! * h[i]!;
            doffset[i]! += g[i]!;
          }
        }
        await expectNoLeak(async () => {
          const inputs = { x: tf.tensor3d(x, [1, rows, d]), scale: tf.tensor1d(scale), offset: tf.tensor1d(offset) };
          const [out, mean, rstd] = runKernel<tf.Tensor[]>(KernelName.LayerNorm, inputs, { epsilon });
          expect([out!.shape, mean!.shape, rstd!.shape]).toEqual([
            [1, rows, d],
            [1, rows],
            [1, rows],
          ]);
          // One column: x − mean is rounding noise, times 1/√ε.
          const tolerance = d < 3 ? 3e-3 : 3e-5;
          expect(await largestDifference(out!, y)).toBeLessThan(tolerance);
          const seed = tf.tensor3d(dy, [1, rows, d]);
          const back = { x: inputs.x, scale: inputs.scale, mean: mean!, rstd: rstd!, dy: seed };
          const grads = runKernel<tf.Tensor[]>(KernelName.LayerNormGrad, back);
          if (d >= 3) {
            expect(await largestDifference(grads[0]!, dx)).toBeLessThan(3e-4);
            expect(await largestDifference(grads[1]!, dscale)).toBeLessThan(3e-4);
          }
          expect(await largestDifference(grads[2]!, doffset)).toBeLessThan(1e-5);
          tf.dispose([inputs, out!, mean!, rstd!, seed, grads]);
        });
      }),
      { numRuns: runs(20) },
    );
  });

  it('GELU and its gradient, to both ends', async () => {
    await trainable(options);
    const xs = [...numbers(101, 1).map((v) => v * 8), 0, -0, 1e4, -1e4, 1e30, -1e30, 20, -20];
    const c = Math.sqrt(2 / Math.PI);
    const tanhOf = (x: number) => Math.tanh(c * (x + 0.044715 * x ** 3));
    const gelu = xs.map((x) => 0.5 * x * (1 + tanhOf(x)));
    const slope = xs.map((x) => {
      const t = tanhOf(x);
      const inner = Math.abs(t) === 1 ? 0 : 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
      return 0.5 * (1 + t) + inner;
    });
    await expectNoLeak(async () => {
      const [x, dy] = [tf.tensor1d(xs), tf.fill([xs.length], 2)];
      const y = runKernel<tf.Tensor>(KernelName.Gelu, { x });
      const dx = runKernel<tf.Tensor>(KernelName.GeluGrad, { x, dy });
      expect(await largestDifference(y, gelu)).toBeLessThan(2e-6);
      expect(
        await largestDifference(
          dx,
          slope.map((v) => 2 * v),
        ),
      ).toBeLessThan(4e-6);
      tf.dispose([x, dy, y, dx]);
    });
  });
});

it('threads do not change the bits of a layer norm’s gradient', async () => {
  const gradients = async (threads: number) => {
    await trainable({ threads, relaxed: false });
    const [rows, d] = [3000, 70];
    const vector = tf.tensor1d(numbers(d, 2));
    const [x, dy] = [tf.tensor2d(numbers(rows * d, 1), [rows, d]), tf.tensor2d(numbers(rows * d, 4), [rows, d])];
    const [, mean, rstd] = runKernel<tf.Tensor[]>(
      KernelName.LayerNorm,
      { x, scale: vector, offset: vector },
      { epsilon: 1e-5 },
    );
    const grads = runKernel<tf.Tensor[]>(KernelName.LayerNormGrad, { x, scale: vector, mean: mean!, rstd: rstd!, dy });
    return Promise.all(grads.map((g) => g.data() as Promise<Float32Array>));
  };
  const [one, two] = [await gradients(1), await gradients(2)];
  restore();
  for (const i of [0, 1, 2]) expect(firstDifference(one[i]!, two[i]!)).toBe(-1);
});
