import { describeEachBackend, expectClose, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { segmentMatMul, segmentMatMulWeightGrad } from './segments.ts';

const size = fc.integer({ min: 1, max: 12 });

const attrs = fc.record({
  sizes: fc.array(fc.nat(5), { minLength: 1, maxLength: 5 }).filter((sizes) => sizes.some((rows) => rows > 0)),
  k: size,
  n: size,
  transposeW: fc.boolean(),
  bias: fc.boolean(),
  activation: fc.constantFrom('linear' as const, 'relu' as const, 'gelu' as const),
});

const endsOf = (sizes: number[]): number[] => {
  let end = 0;
  return sizes.map((rows) => (end += rows));
};

const activations = {
  linear: (x: number) => x,
  relu: (x: number) => Math.max(0, x),
  gelu: (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

const segmentOf = (ends: number[], row: number): number => ends.findIndex((end) => row < end);

describeEachBackend('segmentMatMul', () => {
  itConforms('segmentMatMul', {
    attrs,
    shapes: ({ sizes, k, n, transposeW, bias }) => ({
      x: [endsOf(sizes).at(-1)!, k],
      w: transposeW ? [sizes.length, n, k] : [sizes.length, k, n],
      ...(bias ? { bias: [sizes.length, n] } : {}),
    }),
    run: (inputs, { sizes, transposeW, activation }) =>
      segmentMatMul(inputs as never, { ends: endsOf(sizes), transposeW, activation }),
    reference({ x, w, bias }, { sizes, k, n, transposeW, activation }) {
      const ends = endsOf(sizes);
      return [
        Float64Array.from({ length: ends.at(-1)! * n }, (_, i) => {
          const [row, column] = [Math.floor(i / n), i % n];
          const s = segmentOf(ends, row);
          let sum = bias?.[s * n + column] ?? 0;
          for (let l = 0; l < k; l++)
            sum += x![row * k + l]! * w![s * k * n + (transposeW ? column * k + l : l * n + column)]!;
          return activations[activation](sum);
        }),
      ];
    },
    differentiable: ['x', 'w'],
    tangents: ['x', 'w', 'bias'],
  });

  it('has the gradient in the bias', async () => {
    await expectNoLeak(async () => {
      const [x, w, bias] = [tf.ones([5, 2]), tf.ones([3, 2, 2]), tf.zeros([3, 2])];
      const gradient = tf.grad((bias) => segmentMatMul({ x, w, bias }, { ends: [2, 2, 5] }))(bias);
      await expectClose(gradient, [2, 2, 0, 0, 3, 3]);
      tf.dispose([x, w, bias, gradient]);
    });
  });

  it('never reads the matrices of empty segments', async () => {
    await expectNoLeak(async () => {
      const x = tf.ones([3, 2]);
      const w = tf.tensor3d([1, 2, 3, 4, ...Array(4).fill(Number.NaN), 5, 6, 7, 8], [3, 2, 2]);
      const bias = tf.tensor2d([0, 0, Number.NaN, Number.NaN, 0, 0], [3, 2]);
      const y = segmentMatMul({ x, w, bias }, { ends: [1, 1, 3] });
      await expectClose(y, [4, 6, 12, 14, 12, 14]);
      const [dx, dw] = tf.grads((x, w) => segmentMatMul({ x, w, bias }, { ends: [1, 1, 3] }))([x, w]);
      await expectClose(dx!, [3, 7, 11, 15, 11, 15]);
      await expectClose(dw!, [1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2]);
      tf.dispose([x, w, bias, y, dx!, dw!]);
    });
  });

  it('takes no rows at all', async () => {
    await expectNoLeak(() => {
      const [x, w] = [tf.zeros([0, 2]), tf.ones([2, 2, 3])];
      const y = segmentMatMul({ x, w }, { ends: [0, 0], activation: 'gelu' });
      expect(y.shape).toEqual([0, 3]);
      tf.dispose([x, w, y]);
    });
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const [x, w] = [tf.ones([3, 2]), tf.ones([2, 2, 3])];
      expect(() => segmentMatMul({ x, w }, { ends: [3] })).toThrow(/one entry per segment, 2, got 1/);
      expect(() => segmentMatMul({ x, w }, { ends: [2, 1] })).toThrow(/ends\[1\] must be an integer of at least 2/);
      expect(() => segmentMatMul({ x, w }, { ends: [1, 2] })).toThrow(/must end at the 3 rows, ends at 2/);
      expect(() => segmentMatMul({ x, w }, { ends: [1, 3], transposeW: true })).toThrow(/w must have the shape/);
      tf.dispose([x, w]);
    });
  });
});

describeEachBackend('segmentMatMulWeightGrad', () => {
  itConforms('segmentMatMulWeightGrad', {
    attrs,
    shapes: ({ sizes, k, n }) => ({ x: [endsOf(sizes).at(-1)!, k], dy: [endsOf(sizes).at(-1)!, n] }),
    run: ({ x, dy }, { sizes }) => segmentMatMulWeightGrad({ x: x!, dy: dy! }, endsOf(sizes)),
    reference({ x, dy }, { sizes, k, n }) {
      const ends = endsOf(sizes);
      const out = new Float64Array(sizes.length * k * n);
      for (let row = 0; row < ends.at(-1)!; row++) {
        const s = segmentOf(ends, row);
        for (let i = 0; i < k * n; i++)
          out[s * k * n + i]! += x![row * k + Math.floor(i / n)]! * dy![row * n + (i % n)]!;
      }
      return [out];
    },
    tangents: ['x', 'dy'],
  });
});
