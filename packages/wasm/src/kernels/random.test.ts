import { fillBits, fillNormal, fillSigns, fillUniform, KernelName, key } from '@frugal/tensor';
import { expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { firstDifference, numbers, runKernel, runs, variants } from '../testing.ts';

const kinds = [
  { name: KernelName.RandomBits, fill: fillBits, make: (n: number) => new Int32Array(n) },
  { name: KernelName.RandomUniform, fill: fillUniform, make: (n: number) => new Float32Array(n) },
  { name: KernelName.RandomNormal, fill: fillNormal, make: (n: number) => new Float32Array(n) },
  { name: KernelName.RandomSigns, fill: fillSigns, make: (n: number) => new Float32Array(n) },
];

const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const offsets = fc.oneof(
  fc.nat(5000),
  fc.integer({ min: 0, max: 2 ** 53 - 10_000 }),
  // around the wrap of the counter's low word, 4 or 128 elements per block
  fc.integer({ min: -600, max: 600 }).map((d) => 2 ** 34 + d),
  fc.integer({ min: -600, max: 600 }).map((d) => 2 ** 39 + d),
);

describe.each(variants)('random kernels, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it.each(kinds)('$name has the bits of the plain JavaScript', async ({ name, fill, make }) => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(word, word, offsets, fc.integer({ min: 1, max: 1500 }), async (hi, lo, offset, n) => {
        const expected = make(n);
        (fill as (k: object, out: unknown, offset: number) => void)({ hi, lo }, expected, offset);
        const out = runKernel<tf.Tensor>(name, {}, { hi, lo, offset, shape: [n] });
        const actual = (await out.data()) as Float32Array;
        out.dispose();
        expect(firstDifference(actual, expected)).toBe(-1);
      }),
      { numRuns: runs(30) },
    );
  });

  it.each(kinds)('$name has them for a range that several threads make', async ({ name, fill, make }) => {
    await trainable(options);
    const n = name === KernelName.RandomSigns ? 2_000_003 : 300_007;
    const expected = make(n);
    (fill as (k: object, out: unknown, offset: number) => void)(key(7), expected, 11);
    const out = runKernel<tf.Tensor>(name, {}, { ...key(7), offset: 11, shape: [n] });
    const actual = (await out.data()) as Float32Array;
    out.dispose();
    expect(firstDifference(actual, expected)).toBe(-1);
  });

  it.each(['normal', 'signs'] as const)('adds scaled %s in place, and beside a clone', async (noise) => {
    await trainable(options);
    const n = 1003;
    const start = numbers(n, 3);
    const z = new Float32Array(n);
    (noise === 'normal' ? fillNormal : fillSigns)(key(5), z, 77);
    const expected = start.map((x, i) => Math.fround(x + Math.fround(Math.fround(0.3) * z[i]!)));
    for (const shared of [false, true]) {
      await expectNoLeak(async () => {
        const p = tf.tensor1d(start);
        const clone = shared ? p.clone() : undefined;
        const out = runKernel<tf.Tensor>(KernelName.AddNoise, { p }, { ...key(5), offset: 77, scale: 0.3, noise });
        expect(out.dataId === p.dataId).toBe(!shared);
        p.dispose();
        expect(await out.data()).toEqual(expected);
        if (clone) expect(await clone.data()).toEqual(start);
        tf.dispose([out, ...(clone ? [clone] : [])]);
      });
    }
  });

  it('refuses a negative offset', async () => {
    await trainable(options);
    expect(() => runKernel(KernelName.RandomNormal, {}, { ...key(1), offset: -1, shape: [3] })).toThrow(/offset/);
  });
});
