import { describeEachBackend, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matMulAccumulate, matMulTangent } from './matmul.ts';

const size = fc.integer({ min: 1, max: 40 });

interface Attrs {
  m: number;
  k: number;
  n: number;
  transposeA: boolean;
  transposeB: boolean;
}

const attrs = { m: size, k: size, n: size, transposeA: fc.boolean(), transposeB: fc.boolean() };

const shapesOf = ({ m, k, n, transposeA, transposeB }: Attrs) => ({
  a: transposeA ? [k, m] : [m, k],
  b: transposeB ? [n, k] : [k, n],
});

function product({ m, k, n, transposeA, transposeB }: Attrs, a: Float64Array, b: Float64Array): Float64Array {
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      for (let l = 0; l < k; l++) {
        y[i * n + j]! += a[transposeA ? l * m + i : i * k + l]! * b[transposeB ? j * k + l : l * n + j]!;
      }
    }
  }
  return y;
}

const plus = (a: Float64Array, b: Float64Array | undefined): Float64Array =>
  b === undefined ? a : a.map((x, i) => x + b[i % b.length]!);

describeEachBackend('matMulTangent', () => {
  itConforms('matMulTangent', {
    attrs: fc.record({ ...attrs, has: fc.subarray(['da', 'db', 'bias', 'dbias']) }),
    shapes(attrs) {
      const { a, b } = shapesOf(attrs);
      const optional: Record<string, number[]> = { da: a, db: b, bias: [attrs.n], dbias: [attrs.n] };
      return { a, b, ...Object.fromEntries(attrs.has.map((name) => [name, optional[name]!])) };
    },
    run: (inputs, { transposeA, transposeB }) => matMulTangent(inputs as never, { transposeA, transposeB }),
    reference({ a, b, da, db, bias, dbias }, attrs) {
      let dy: Float64Array = new Float64Array(attrs.m * attrs.n);
      if (da !== undefined) dy = plus(dy, product(attrs, da, b!));
      if (db !== undefined) dy = plus(dy, product(attrs, a!, db));
      return [plus(product(attrs, a!, b!), bias), plus(dy, dbias)];
    },
    tangents: ['a', 'b', 'da', 'db', 'bias', 'dbias'],
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const [a, b] = [tf.ones([2, 3]), tf.ones([2, 3])];
      expect(() => matMulTangent({ a, b })).toThrow(/b must have the shape \[3, any\], got \[2,3\]/);
      expect(() => matMulTangent({ a, b, da: b, bias: b }, { transposeB: true })).toThrow(
        /bias must have the shape \[2\]/,
      );
      tf.dispose([a, b]);
    });
  });
});

describeEachBackend('matMulAccumulate', () => {
  itConforms('matMulAccumulate', {
    attrs: fc.record({ ...attrs, alpha: fc.constantFrom(1, -0.5, 3) }),
    shapes: (attrs) => ({ c: [attrs.m, attrs.n], ...shapesOf(attrs) }),
    run: (inputs, { transposeA, transposeB, alpha }) =>
      matMulAccumulate(inputs as never, { transposeA, transposeB, alpha }),
    reference: ({ c, a, b }, attrs) => [
      plus(
        c!,
        product(attrs, a!, b!).map((x) => attrs.alpha * x),
      ),
    ],
    donated: ['c'],
    tangents: ['c', 'a', 'b'],
  });

  it('refuses what does not fit before anything is donated', async () => {
    await expectNoLeak(() => {
      const [a, c] = [tf.ones([2, 2]), tf.ones([2, 2])];
      expect(() => matMulAccumulate({ c: a, a, b: c })).toThrow(/stands twice/);
      expect(() => matMulAccumulate({ c, a, b: a }, { alpha: Number.NaN })).toThrow(/alpha must be a finite/);
      expect(a.isDisposed || c.isDisposed).toBe(false);
      tf.dispose([a, c]);
    });
  });
});
