import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { countAbove } from './count-above.ts';

const values = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 0.5, -0.5, Number.NaN, Number.NEGATIVE_INFINITY, 1e-45),
  fc.float({ noNaN: true, min: -2, max: 2 }),
);

describeEachBackend('countAbove', (backend) => {
  // TensorFlow takes subnormal numbers for 0.
  const value = backend === 'tensorflow' ? values.filter((x) => x === 0 || !(Math.abs(x) < 2 ** -126)) : values;

  it('counts by row and by column, whatever the shape', async () => {
    const matrix = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 23 })).chain(([rows, columns]) =>
      fc.record({
        rows: fc.constant(rows),
        columns: fc.constant(columns),
        values: fc.array(value, { minLength: rows * columns, maxLength: rows * columns }),
        threshold: fc.constantFrom(0, Math.fround(0.3), 0.3, 0.5, 3),
      }),
    );
    await fc.assert(
      fc.asyncProperty(matrix, async ({ rows, columns, values, threshold }) => {
        await expectNoLeak(async () => {
          const data = Float32Array.from(values);
          // Rows over two axes where they can be.
          const x = tf.tensor(data, rows % 2 === 0 ? [2, rows / 2, columns] : [rows, columns]);
          const [byRow, byColumn] = countAbove(x, { threshold });
          const above = (i: number): number => Number(!(Math.abs(data[i]!) <= threshold));
          const sum = (count: number, at: (i: number) => number): number =>
            Array.from({ length: count }, (_, i) => above(at(i))).reduce((a, b) => a + b, 0);
          expect([byRow.dtype, byColumn.dtype]).toEqual(['int32', 'int32']);
          expect(Array.from(await byRow.data())).toEqual(
            Array.from({ length: rows }, (_, r) => sum(columns, (c) => r * columns + c)),
          );
          expect(Array.from(await byColumn.data())).toEqual(
            Array.from({ length: columns }, (_, c) => sum(rows, (r) => r * columns + c)),
          );
          tf.dispose([x, byRow, byColumn]);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('counts many rows and columns, and refuses what is no matrix', async () => {
    const x = tf.ones([300, 1030]) as tf.Tensor2D;
    const [byRow, byColumn] = countAbove(x);
    expect(new Set(await byRow.data())).toEqual(new Set([1030]));
    expect(new Set(await byColumn.data())).toEqual(new Set([300]));
    const [line, whole] = [tf.scalar(3), tf.ones([2, 2], 'int32')];
    expect(() => countAbove(line)).toThrow(/FrugalCountAbove/);
    expect(() => countAbove(whole)).toThrow(/float32/);
    expect(() => countAbove(x, { threshold: -1 })).toThrow(/at least 0/);
    tf.dispose([x, byRow, byColumn, line, whole]);
  });
});
