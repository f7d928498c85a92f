import { describeEachBackend, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { gatherRows, scatterAddRows } from './rows.ts';

/** Shapes [n, …] and row numbers with repetitions. */
const attrs = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 2 }))
  .chain(([n, rest]) =>
    fc.record({
      shape: fc.constant<number[]>([n, ...rest]),
      rows: fc.array(fc.nat(n - 1), { maxLength: 12 }).map((rows) => Int32Array.from(rows)),
      scaled: fc.boolean(),
    }),
  );

const rowSize = (shape: number[]): number => shape.slice(1).reduce((a, b) => a * b, 1);
const scaleOf = (rows: Int32Array): Float32Array => Float32Array.from(rows, (_, i) => 1 + i / 4);

describeEachBackend('gatherRows', () => {
  itConforms('gatherRows', {
    attrs,
    shapes: ({ shape }) => ({ x: shape }),
    run: ({ x }, { rows }) => gatherRows(x!, rows),
    reference({ x }, { shape, rows }) {
      const width = rowSize(shape);
      return [
        Float64Array.from(
          { length: rows.length * width },
          (_, i) => x![rows[Math.floor(i / width)]! * width + (i % width)]!,
        ),
      ];
    },
    differentiable: ['x'],
    tolerance: 1e-6,
  });

  it('gives the shape, and refuses rows that are not there', async () => {
    await expectNoLeak(() => {
      const x = tf.ones([3, 2, 2]);
      const y = gatherRows(x, Int32Array.of(2, 2, 0, 1));
      expect(y.shape).toEqual([4, 2, 2]);
      const labels = tf.tensor1d([7, 8, 9], 'int32');
      const taken = gatherRows(labels, Int32Array.of(2, 0));
      expect(taken.dtype).toBe('int32');
      expect(taken.shape).toEqual([2]);
      tf.dispose([labels, taken]);
      expect(() => gatherRows(x, Int32Array.of(0, 3))).toThrow(/rows\[1\] must be a row in \[0, 3\), got 3/);
      expect(() => gatherRows(x, Int32Array.of(-1))).toThrow(/got -1/);
      expect(() => gatherRows(x, [1] as never)).toThrow(/Int32Array/);
      tf.dispose([x, y]);
    });
  });
});

describeEachBackend('scatterAddRows', () => {
  itConforms('scatterAddRows', {
    attrs,
    shapes: ({ shape, rows }) => ({ into: shape, x: [rows.length, ...shape.slice(1)] }),
    run: ({ into, x }, { rows, scaled }) =>
      scatterAddRows({ into: into!, x: x! }, scaled ? { rows, scale: scaleOf(rows) } : { rows }),
    reference({ into, x }, { shape, rows, scaled }) {
      const width = rowSize(shape);
      const out = into!.slice();
      const scale = scaleOf(rows);
      for (const [i, row] of rows.entries()) {
        for (let c = 0; c < width; c++) out[row * width + c]! += (scaled ? scale[i]! : 1) * x![i * width + c]!;
      }
      return [out];
    },
    donated: ['into'],
    differentiable: ['into', 'x'],
    tolerance: 2e-6,
  });

  it('refuses what does not fit before anything is donated', async () => {
    await expectNoLeak(() => {
      const [into, x] = [tf.ones([3, 2]), tf.ones([2, 2])];
      expect(() => scatterAddRows({ into, x }, { rows: Int32Array.of(0) })).toThrow(/x must have the shape \[1, 2\]/);
      expect(() => scatterAddRows({ into, x }, { rows: Int32Array.of(0, 3) })).toThrow(/got 3/);
      expect(() => scatterAddRows({ into, x }, { rows: Int32Array.of(0, 1), scale: new Float32Array(1) })).toThrow(
        /scale/,
      );
      expect(() => scatterAddRows({ into: x, x }, { rows: Int32Array.of(0, 1) })).toThrow(/stands twice/);
      expect(into.isDisposed || x.isDisposed).toBe(false);
      tf.dispose([into, x]);
    });
  });
});
