import { type Dataset, key } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { asDataset, fromArrays, fromTensors, fromTfData, mapBatches, prefetch, shuffleStream } from './index.ts';

type Labelled = { x: tf.Tensor; y: tf.Tensor };

/** The rows of `y` in each batch; frees the batches. */
async function labels(dataset: Dataset<Labelled>, epoch = 0, from = 0, seed = 1): Promise<number[][]> {
  const out: number[][] = [];
  for await (const { x, y } of dataset.batches({ key: key(seed), epoch, from })) {
    const [xs, ys] = [await x.data(), await y.data()];
    // Inputs are [10y, 10y + 1]: a row must stay with its label.
    for (const [i, label] of ys.entries()) expect([xs[2 * i], xs[2 * i + 1]]).toEqual([10 * label, 10 * label + 1]);
    out.push([...ys]);
    tf.dispose([x, y]);
  }
  return out;
}

const n = 7;
const pixels = Float32Array.from({ length: 2 * n }, (_, i) => 10 * (i >> 1) + (i & 1));
const arrays = (options: Partial<Parameters<typeof fromArrays>[1]> = {}): Dataset<Labelled> =>
  fromArrays(
    { x: { values: pixels, shape: [2] }, y: Int32Array.from({ length: n }, (_, i) => i) },
    { batchSize: 3, ...options },
  );

describeEachBackend('data', () => {
  it('makes batches of arrays in order, the last one smaller or dropped', async () => {
    await expectNoLeak(async () => {
      expect(await labels(arrays({ shuffle: false }))).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
      const dropped = arrays({ shuffle: false, dropRemainder: true });
      expect(await labels(dropped)).toEqual([
        [0, 1, 2],
        [3, 4, 5],
      ]);
      expect([dropped.size, dropped.batchesPerEpoch]).toEqual([6, 2]);
    });
  });

  it('shuffles by key and epoch alone, and starts at any batch', async () => {
    const dataset = arrays();
    const first = await labels(dataset);
    expect(first.flat().toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await labels(arrays())).toEqual(first);
    expect(await labels(dataset, 1)).not.toEqual(first);
    expect(await labels(dataset, 0, 0, 2)).not.toEqual(first);
    expect(await labels(dataset, 0, 1)).toEqual(first.slice(1));
    expect(await labels(dataset, 0, 3)).toEqual([]);
  });

  it('takes tensors, lists and dtypes', async () => {
    await expectNoLeak(async () => {
      const examples = { x: tf.tensor2d(pixels, [n, 2]), y: tf.range(0, n, 1, 'int32') };
      expect(await labels(fromTensors(examples, { batchSize: 3 }))).toEqual(await labels(arrays()));
      expect(await labels(fromTensors(examples, { batchSize: 4, shuffle: false }))).toEqual([
        [0, 1, 2, 3],
        [4, 5, 6],
      ]);
      tf.dispose(examples);
      const lists = fromArrays({ a: [[[1], [2]]], b: { values: Uint8Array.of(3) } }, { batchSize: 1 });
      for await (const { a, b } of lists.batches({ key: key(0), epoch: 0 })) {
        expect([a.dtype, a.shape, b.dtype, b.shape]).toEqual(['float32', [1, 2, 1], 'int32', [1]]);
        tf.dispose([a, b]);
      }
    });
  });

  it('maps batches with a key for each, and frees what is dropped', async () => {
    await expectNoLeak(async () => {
      const keys: string[] = [];
      const mapped = mapBatches(arrays(), (batch, k) => {
        keys.push(`${k.hi},${k.lo}`);
        return { x: tf.add(batch.x, 0), y: batch.y };
      });
      const first = await labels(mapped);
      expect(first).toEqual(await labels(arrays()));
      expect(await labels(mapped, 0, 1)).toEqual(first.slice(1));
      expect(new Set(keys.slice(0, 3)).size).toBe(3);
      expect(keys.slice(3)).toEqual(keys.slice(1, 3));
    });
  });

  it('reads ahead in order and frees what nobody took', async () => {
    await expectNoLeak(async () => {
      const ahead = prefetch(arrays({ batchSize: 1 }), 3);
      expect(await labels(ahead)).toEqual(await labels(arrays({ batchSize: 1 })));
      for await (const batch of ahead.batches({ key: key(1), epoch: 0 })) {
        tf.dispose(batch);
        break;
      }
    });
  });

  it('refuses columns that do not fit together', () => {
    expect(() => fromArrays({ a: [1, 2], b: [1, 2, 3] }, { batchSize: 1 })).toThrow(/a: 2, b: 3/);
    expect(() => fromArrays({ a: [[1], [1, 2]] }, { batchSize: 1 })).toThrow(/different lengths/);
    expect(() => arrays({ batchSize: 0 })).toThrow(/batchSize.*got 0/);
    expect(() => arrays({ batchSize: 8, dropRemainder: true })).toThrow(/Lower batchSize/);
  });
});

describeEachBackend('streams', () => {
  it('takes tf.data datasets, anew for each epoch', async () => {
    const { array, zip } = await import('@tensorflow/tfjs-data');
    await expectNoLeak(async () => {
      const x = array(Array.from({ length: n }, (_, i) => [10 * i, 10 * i + 1]));
      const stream = fromTfData(
        zip({ x, y: array([0, 1, 2, 3, 4, 5, 6]) }).batch(3) as never as Parameters<typeof fromTfData<Labelled>>[0],
      );
      const dataset = asDataset(stream, { size: n, batchSize: 3 });
      const expected = [[0, 1, 2], [3, 4, 5], [6]];
      expect(await labels(dataset)).toEqual(expected);
      expect(await labels(dataset, 1, 2)).toEqual(expected.slice(2));
      await expect(labels(asDataset(stream, { size: 9, batchSize: 3, batchesPerEpoch: 4 }))).rejects.toThrow(
        /3 batches, batchesPerEpoch says 4/,
      );
    });
  });

  it('shuffles within a window, by key and epoch', async () => {
    async function* count(): AsyncGenerator<number> {
      for (let i = 0; i < 20; i++) yield i;
    }
    const read = async (size: number, epoch = 0, seed = 1): Promise<number[]> => {
      const out: number[] = [];
      for await (const i of shuffleStream(count, size, key(seed))(epoch)) out.push(i);
      return out;
    };
    const shuffled = await read(5);
    expect(shuffled.toSorted((a, b) => a - b)).toEqual(await read(1));
    expect(shuffled).toEqual(await read(5));
    expect(shuffled).not.toEqual(await read(5, 1));
    expect(shuffled).not.toEqual(await read(5, 0, 2));
    for (const [i, element] of shuffled.entries()) expect(element).toBeLessThan(i + 5);
  });
});
