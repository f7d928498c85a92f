import { describeEachBackend, expectClose, expectNoLeak, normals } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';

const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 70 }));

/** Products of batches of matrices in doubles; a batch of one stands for all. */
function reference(a: Float32Array, b: Float32Array, batch: number, [m, k, n]: readonly number[], turned: boolean[]) {
  const y = new Float64Array(batch * m! * n!);
  const [stepA, stepB] = [a.length === m! * k! ? 0 : m! * k!, b.length === k! * n! ? 0 : k! * n!];
  for (let i = 0; i < batch; i++) {
    for (let r = 0; r < m!; r++) {
      for (let c = 0; c < n!; c++) {
        for (let l = 0; l < k!; l++) {
          const x = a[i * stepA + (turned[0] ? l * m! + r : r * k! + l)]!;
          y[(i * m! + r) * n! + c]! += x * b[i * stepB + (turned[1] ? c * k! + l : l * n! + c)]!;
        }
      }
    }
  }
  return y;
}

describeEachBackend('products', () => {
  it('agree with their definition, in batches, transposed or not', async () => {
    const cases = fc.record({
      sizes: fc.tuple(size, size, size),
      turned: fc.tuple(fc.boolean(), fc.boolean()),
      batches: fc.constantFrom<[number, number]>([1, 1], [3, 3], [3, 1], [1, 2]),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ sizes: [m, k, n], turned, batches: [p, q] }) => {
        const shapes: [number, number, number][] = [
          turned[0] ? [p, k, m] : [p, m, k],
          turned[1] ? [q, n, k] : [q, k, n],
        ];
        const [a, b] = shapes.map((shape, i) => normals(i + 1, tf.util.sizeFromShape(shape))) as Float32Array[];
        const expected = reference(a!, b!, Math.max(p, q), [m, k, n], turned);
        await expectNoLeak(async () => {
          const y = tf.tidy(() => tf.matMul(tf.tensor3d(a!, shapes[0]), tf.tensor3d(b!, shapes[1]), ...turned));
          expect(y.shape).toEqual([Math.max(p, q), m, n]);
          await expectClose(y, expected, 3e-5);
          y.dispose();
        });
      }),
      { numRuns: 25 },
    );
  });

  it.each(['linear', 'relu', 'sigmoid'] as const)('take a bias and %s along', async (activation) => {
    const [m, k, n] = [13, 21, 35] as const;
    const [a, b, bias] = [normals(1, m * k), normals(2, k * n), normals(3, n)];
    const f = {
      linear: (z: number) => z,
      relu: (z: number) => Math.max(0, z),
      sigmoid: (z: number) => 1 / (1 + Math.exp(-z)),
    };
    const expected = reference(a, b, 1, [m, k, n], [false, false]).map((z, i) => f[activation](z + bias[i % n]!));
    await expectNoLeak(async () => {
      const y = tf.tidy(() =>
        tf.fused.matMul({ a: tf.tensor2d(a, [m, k]), b: tf.tensor2d(b, [k, n]), bias: tf.tensor1d(bias), activation }),
      );
      await expectClose(y, expected, 3e-5);
      y.dispose();
    });
  });

  it('keep NaN, and sum to the bias over nothing', async () => {
    await expectNoLeak(async () => {
      const [y, z] = tf.tidy(() => [
        tf.fused.matMul({ a: tf.tensor2d([[Number.NaN, 1]]), b: tf.tensor2d([[1], [1]]), activation: 'relu' }),
        tf.matMul(tf.zeros([0, 2]), tf.ones([2, 3])),
      ]);
      expect([...(await y!.data())]).toEqual([Number.NaN]);
      expect([z!.shape, (await z!.data()).length]).toEqual([[0, 3], 0]);
      tf.dispose([y!, z!]);
    });
  });
});

describeEachBackend('sums over the first axes', () => {
  it.each([
    { shape: [7, 5], axes: [0] },
    { shape: [33, 1], axes: [0] },
    { shape: [2, 3, 5, 19], axes: [0, 1, 2] },
    { shape: [6, 2, 3], axes: [1, 0] },
  ])('of $shape over $axes', async ({ shape, axes }) => {
    const x = normals(5, tf.util.sizeFromShape(shape));
    const n = tf.util.sizeFromShape(shape.slice(axes.length));
    const expected = new Float64Array(n);
    for (const [i, value] of x.entries()) expected[i % n]! += value;
    await expectNoLeak(async () => {
      const sums = tf.tidy(() => [tf.sum(tf.tensor(x, shape), axes), tf.sum(tf.tensor(x, shape), axes, true)]);
      expect(sums.map((sum) => sum.shape)).toEqual([
        shape.slice(axes.length),
        shape.map((d, i) => (axes.includes(i) ? 1 : d)),
      ]);
      for (const sum of sums) await expectClose(sum, expected);
      tf.dispose(sums);
    });
  });
});
