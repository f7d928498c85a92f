import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import type { Examples } from './examples.ts';
import { measureNormalization, normalizations } from './normalization.ts';
import { toDataset } from './to-dataset.ts';

const key = { hi: 3, lo: 4 };
const size = 23;

/** Example i is a 2×2 image with all pixels i, labelled i. */
const images: Examples<Uint8Array, Uint8Array> = {
  size,
  x: Uint8Array.from({ length: 4 * size }, (_, i) => Math.floor(i / 4)),
  shape: [2, 2, 1],
  y: Uint8Array.from({ length: size }, (_, i) => i),
  targetShape: [],
  classes: size,
};

async function labels(options: { epoch: number; from?: number; shuffle?: boolean; dropRemainder?: boolean }) {
  const { epoch, from, ...rest } = options;
  const out: number[][] = [];
  const dataset = toDataset(images, { batchSize: 5, ...rest });
  for await (const { x, y } of dataset.batches({ key, epoch, ...(from === undefined ? {} : { from }) })) {
    const numbers = [...(await y.data())];
    await expectClose(
      tf.tidy(() => tf.mean(x, [1, 2, 3])),
      numbers.map((n) => n / 255),
      1e-6,
    );
    out.push(numbers);
    tf.dispose([x, y]);
  }
  return out;
}

describeEachBackend('toDataset', () => {
  test('an epoch has every example once, in a seeded order, with its own label', async () => {
    const first = await labels({ epoch: 0 });
    expect(first.map((batch) => batch.length)).toEqual([5, 5, 5, 5, 3]);
    expect(first.flat().toSorted((a, b) => a - b)).toEqual([...images.y]);
    expect(await labels({ epoch: 0 })).toEqual(first);
    expect(await labels({ epoch: 1 })).not.toEqual(first);
    expect((await labels({ epoch: 0, shuffle: false })).flat()).toEqual([...images.y]);
  });

  test('resumes at any batch', async () => {
    const whole = await labels({ epoch: 7 });
    for (const from of [0, 2, 4, 5]) expect(await labels({ epoch: 7, from })).toEqual(whole.slice(from));
  });

  test('drops the remainder on request', async () => {
    const dataset = toDataset(images, { batchSize: 5, dropRemainder: true });
    expect([dataset.size, dataset.batchesPerEpoch]).toEqual([20, 4]);
    expect((await labels({ epoch: 0, dropRemainder: true })).map((batch) => batch.length)).toEqual([5, 5, 5, 5]);
    expect(() => toDataset(images, { batchSize: 24, dropRemainder: true })).toThrow(/Lower batchSize/);
    expect(() => toDataset(images, { batchSize: 0 })).toThrow(/batchSize is 0/);
  });

  test('normalises, flattens and types its tensors', async () => {
    const options = { batchSize: size, shuffle: false, flatten: true, normalization: normalizations.mnist };
    for await (const { x, y } of toDataset(images, options).batches({ key, epoch: 0 })) {
      expect([x.shape, x.dtype, y.shape, y.dtype]).toEqual([[size, 4], 'float32', [size], 'int32']);
      await expectClose(
        x,
        Array.from(images.x, (v) => (v / 255 - 0.1307) / 0.3081),
        1e-6,
      );
      tf.dispose([x, y]);
    }
  });

  test('float inputs and shaped targets', async () => {
    const data: Examples = {
      size: 2,
      x: Float32Array.of(1, 2, 3, 5),
      shape: [2],
      y: Uint8Array.of(0, 1, 1, 0),
      targetShape: [2],
    };
    const normalization = { scale: 2, mean: 1, std: 4 };
    for await (const { x, y } of toDataset(data, { batchSize: 2, shuffle: false, normalization }).batches({
      key,
      epoch: 0,
    })) {
      await expectClose(x, [0.25, 0.75, 1.25, 2.25]);
      expect([y.shape, y.dtype]).toEqual([[2, 2], 'float32']);
      await expectClose(y, [0, 1, 1, 0]);
      tf.dispose([x, y]);
    }
  });

  test('leaves nothing behind, also when the consumer stops early', async () => {
    await expectNoLeak(async () => {
      for await (const batch of toDataset(images, { batchSize: 5 }).batches({ key, epoch: 0 })) {
        tf.dispose(batch);
        break;
      }
    });
  });
});

test('measureNormalization gives mean 0 and variance 1', () => {
  const far = { x: Float32Array.of(1e6 + 1, 1e6 + 2, 1e6 + 3, 1e6 + 6) };
  const { scale, mean, std } = measureNormalization(far);
  expect([scale, mean, std]).toEqual([1, 1e6 + 3, expect.closeTo(Math.sqrt(3.5), 6)]);
  expect(measureNormalization({ x: new Uint8Array(9).fill(255) })).toEqual({ scale: 1 / 255, mean: 1, std: 1 });
});
