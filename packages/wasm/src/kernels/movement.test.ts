import { ensureGradients } from '@frugal/tensor';
import '@tensorflow/tfjs-backend-cpu';
import { expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { firstDifference, numbers, onBackend, runs, variants } from '../testing.ts';

const shapeOf = (minLength: number, maxLength: number, max = 6) =>
  fc.array(fc.integer({ min: 1, max }), { minLength, maxLength });
const dtypes = fc.constantFrom('float32', 'int32', 'bool') as fc.Arbitrary<'float32' | 'int32' | 'bool'>;

function tensor(shape: readonly number[], dtype: 'float32' | 'int32' | 'bool', seed = 1): tf.Tensor {
  const values = numbers(tf.util.sizeFromShape(shape as number[]), seed);
  const scaled = values.map((v) => (dtype === 'bool' ? (v > 0 ? 1 : 0) : Math.round(v * 1000) + 0));
  return tf.tensor(dtype === 'float32' ? values : scaled, shape as number[], dtype);
}

/** Moved data must be the same bits on both backends. */
async function expectSame(f: () => tf.Tensor): Promise<void> {
  const [ours, plain] = [await onBackend('wasm', f), await onBackend('cpu', f)];
  expect(ours.length).toBe(plain.length);
  expect([...ours]).toEqual([...plain]);
}

describe.each(variants)('data movement, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);
  const each = async <T extends unknown[]>(
    arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
    f: (...args: T) => tf.Tensor,
  ) => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(fc.tuple<T>(...arbitraries), async (args) => expectSame(() => f(...args))),
      { numRuns: runs(30) },
    );
  };

  it('transposes', () =>
    each<[number[], number, 'float32' | 'int32' | 'bool']>(
      [shapeOf(1, 6), fc.nat(1000), dtypes],
      (shape, seed, dtype) => {
        const order = shape.map((_, i) => i).sort((a, b) => ((a * 7 + seed) % 11) - ((b * 7 + seed) % 11));
        return tf.transpose(tensor(shape, dtype), order);
      },
    ));

  it('transposes large matrices', () =>
    each<[number, number]>([fc.integer({ min: 1, max: 150 }), fc.integer({ min: 1, max: 150 })], (r, c) =>
      tf.transpose(tensor([3, r, c], 'float32'), [0, 2, 1]),
    ));

  it('slices, splits and unstacks', () =>
    each<[number[], number, 'float32' | 'int32' | 'bool']>(
      [shapeOf(1, 5), fc.nat(1000), dtypes],
      (shape, seed, dtype) => {
        const x = tensor(shape, dtype);
        const begin = shape.map((extent, i) => (seed + 3 * i) % extent);
        const size = shape.map((extent, i) => 1 + ((seed + 5 * i) % (extent - begin[i]!)));
        const axis = seed % shape.length;
        const parts = [...tf.split(x, [0, shape[axis]! - 1, 1], axis), ...tf.unstack(x, axis)];
        return tf.concat([tf.slice(x, begin, size), ...parts].map((t) => tf.reshape(t, [-1])));
      },
    ));

  it('concatenates and stacks', () =>
    each<[number[], number[], number, 'float32' | 'int32' | 'bool']>(
      [shapeOf(1, 5), fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 4 }), fc.nat(1000), dtypes],
      (shape, extents, seed, dtype) => {
        const axis = seed % shape.length;
        const joined = tf.concat(
          extents.map((extent, i) => tensor(shape.with(axis, extent), dtype, i)),
          axis,
        );
        const stacked = tf.stack(
          extents.map((_, i) => tensor(shape, dtype, i)),
          seed % (shape.length + 1),
        );
        return tf.concat([tf.reshape(joined, [-1]), tf.reshape(stacked, [-1])]);
      },
    ));

  it('gathers along every axis', () =>
    each<[number[], number, number[], 'float32' | 'int32' | 'bool']>(
      [shapeOf(1, 4), fc.nat(100), fc.array(fc.nat(1e6), { minLength: 1, maxLength: 9 }), dtypes],
      (shape, seed, picks, dtype) => {
        const axis = seed % shape.length;
        const indices = tf.tensor(
          picks.map((p) => p % shape[axis]!),
          picks.length % 3 === 0 ? [picks.length / 3, 3] : [picks.length],
          'int32',
        );
        return tf.gather(tensor(shape, dtype), indices, axis);
      },
    ));

  it('gathers within batches', async () => {
    await trainable(options);
    await expectSame(() => {
      const indices = tf.tensor2d([0, 2, 1, 1, 3, 3], [2, 3], 'int32');
      return tf.gather(tensor([2, 4, 5], 'float32'), indices, 1, 1);
    });
  });

  it('pads and tiles', () =>
    each<[number[], number, 'float32' | 'int32' | 'bool']>(
      [shapeOf(1, 4, 5), fc.nat(1000), dtypes],
      (shape, seed, dtype) => {
        const x = tensor(shape, dtype);
        const paddings = shape.map((_, i) => [(seed + i) % 3, (seed + 2 * i) % 2] as [number, number]);
        const tiled = tf.tile(
          x,
          shape.map((_, i) => 1 + ((seed + i) % 3)),
        );
        return tf.concat([tf.pad(x, paddings, dtype === 'float32' ? 2.5 : 1), tiled].map((t) => tf.reshape(t, [-1])));
      },
    ));

  it('sums segments, and skips ids that are out of range', async () => {
    await trainable(options);
    await expectSame(() =>
      tf.unsortedSegmentSum(tensor([6, 2, 5], 'float32'), tf.tensor1d([2, 0, 2, 7, -1, 3], 'int32'), 4),
    );
  });

  it('has the gradient of a gather', async () => {
    await trainable(options);
    await ensureGradients();
    const f = () =>
      tf.grad((x) => tf.gather(x, tf.tensor1d([1, 1, 4], 'int32')))(tf.ones([5, 3]), tensor([3, 3], 'float32'));
    await expectSame(f);
  });

  it('casts', async () => {
    await trainable(options);
    for (const from of ['float32', 'int32', 'bool'] as const) {
      for (const to of ['float32', 'int32'] as const)
        await expectSame(() => tf.cast(tf.mul(tensor([37], from), 1), to));
    }
  });

  it('moves as much by several threads', async () => {
    await trainable(options);
    for (const f of [
      () => tf.transpose(tensor([150, 40, 190], 'float32'), [2, 0, 1]),
      () => tf.transpose(tensor([150, 40, 190], 'float32'), [1, 0, 2]),
      () => tf.gather(tensor([400, 3000], 'float32'), tf.range(0, 399, 1, 'int32')),
    ]) {
      expect(firstDifference(await onBackend('wasm', f), await onBackend('cpu', f))).toBe(-1);
    }
  });

  it('refuses indices that are not there', async () => {
    await trainable(options);
    tf.tidy(() => {
      expect(() => tf.gather(tf.ones([3, 2]), tf.tensor1d([3], 'int32'))).toThrow(/\[0, 3\)/);
      expect(() => tf.slice(tf.ones([3]), [2], [2])).toThrow(/./);
    });
  });

  it('does not leak', async () => {
    await trainable(options);
    await expectNoLeak(() =>
      tf.tidy(() => {
        const x = tensor([4, 5, 6], 'float32');
        tf.stack(
          tf.unstack(
            tf.transpose(
              tf.pad(x, [
                [1, 0],
                [0, 1],
                [0, 0],
              ]),
              [2, 0, 1],
            ),
          ),
        );
        tf.concat([x]);
      }),
    );
  });
});
