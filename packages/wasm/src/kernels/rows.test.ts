import { KernelName } from '@frugal/tensor';
import { expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { numbers, runKernel, runs, variants } from '../testing.ts';

const places = fc.record({
  n: fc.integer({ min: 1, max: 20 }),
  columns: fc.constantFrom(1, 3, 4, 17, 130, 300),
  picks: fc.array(fc.nat(1e6), { maxLength: 40 }),
});

describe.each(variants)('rows, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it.each(['float32', 'int32', 'bool'] as const)('gathers %s', async (dtype) => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(places, async ({ n, columns, picks }) => {
        const rows = Int32Array.from(picks, (p) => p % n);
        const values = numbers(n * columns, 1).map((v) =>
          dtype === 'bool' ? (v > 0 ? 1 : 0) : Math.round(v * 1000) + 0,
        );
        const x = tf.tensor(values, [n, 1, columns], dtype);
        const out = runKernel<tf.Tensor>(KernelName.GatherRows, { x }, { rows });
        expect(out.shape).toEqual([rows.length, 1, columns]);
        const expected = [...rows].flatMap((row) => [...values.subarray(row * columns, (row + 1) * columns)]);
        expect([...(await out.data())]).toEqual(expected);
        tf.dispose([x, out]);
      }),
      { numRuns: runs(20) },
    );
  });

  it('adds rows at their places, repeated ones too, scaled or not', async () => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(places, fc.boolean(), fc.boolean(), async ({ n, columns, picks }, scaled, shared) => {
        const rows = Int32Array.from(picks, (p) => p % n);
        const [start, added] = [numbers(n * columns, 2), numbers(rows.length * columns, 3)];
        const scale = scaled ? numbers(rows.length, 4) : undefined;
        const expected = Float32Array.from(start);
        for (const [i, row] of rows.entries()) {
          for (let c = 0; c < columns; c++) {
            const product = Math.fround((scale?.[i] ?? 1) * added[i * columns + c]!);
            expected[row * columns + c] = Math.fround(expected[row * columns + c]! + product);
          }
        }
        await expectNoLeak(async () => {
          const [into, x] = [tf.tensor2d(start, [n, columns]), tf.tensor2d(added, [rows.length, columns])];
          const clone = shared ? tf.clone(into) : undefined;
          const out = runKernel<tf.Tensor>(KernelName.ScatterAddRows, { into, x }, { rows, ...(scale && { scale }) });
          expect(out.dataId === into.dataId).toBe(!shared);
          expect(await out.data()).toEqual(expected);
          if (clone) expect(await clone.data()).toEqual(start);
          tf.dispose([into, x, out, ...(clone ? [clone] : [])]);
        });
      }),
      { numRuns: runs(20) },
    );
  });

  it('refuses rows that are not there', async () => {
    await trainable(options);
    tf.tidy(() => {
      const x = tf.ones([3, 2]);
      for (const row of [-1, 3]) {
        expect(() => runKernel(KernelName.GatherRows, { x }, { rows: Int32Array.of(0, row) })).toThrow(/\[0, 3\)/);
        expect(() =>
          runKernel(KernelName.ScatterAddRows, { into: x, x: tf.ones([1, 2]) }, { rows: Int32Array.of(row) }),
        ).toThrow(/\[0, 3\)/);
      }
    });
  });
});
