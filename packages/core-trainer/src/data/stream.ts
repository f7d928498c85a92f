import { type Dataset, FrugalError, fillIntegers, foldIn, type Key } from '@frugal/tensor';
import { checkNumber } from '../arguments.ts';
import { disposeBatch } from './batch.ts';

/**
 * Batches that come as they come: an async iterable (for one epoch), or a function that opens one for each epoch.
 *
 * A run can train on it, but not be resumed: nobody knows how to get back to the middle of it.
 */
export type Stream<B> = AsyncIterable<B> | ((epoch: number) => AsyncIterable<B>);

/** Opens a stream for an epoch. */
export function openStream<B>(stream: Stream<B>, epoch: number): AsyncIterable<B> {
  return typeof stream === 'function' ? stream(epoch) : stream;
}

/** Whether data can be read again from any batch of any epoch. */
export function isDataset<B>(data: Dataset<B> | Stream<B>): data is Dataset<B> {
  return typeof data === 'object' && 'batches' in data && typeof data.batches === 'function';
}

/** What is used of a `tf.data.Dataset`. */
export interface TfDataset<B> {
  iterator(): Promise<{ next(): Promise<IteratorResult<B>> }>;
}

async function* iterate<B>(dataset: TfDataset<B>): AsyncGenerator<B, void, undefined> {
  const iterator = await dataset.iterator();
  for (;;) {
    const { done, value } = await iterator.next();
    if (done === true) return;
    yield value;
  }
}

/**
 * A batched `tf.data` dataset as a stream: opened anew for each epoch.
 *
 * tf.data keeps its own random state, so a run on it cannot be resumed. For that, give `asDataset` its sizes and no shuffling of its own.
 *
 * @param dataset Anything that `tf.data` makes, after `.batch(…)`.
 */
export function fromTfData<B>(dataset: TfDataset<B>): (epoch: number) => AsyncIterable<B> {
  return () => iterate(dataset);
}

/** What `asDataset` has to be told of a stream. */
export interface AsDatasetOptions {
  /** Examples in an epoch. */
  size: number;
  batchSize: number;
  /** Batches in an epoch; default: size ÷ batchSize, rounded up. */
  batchesPerEpoch?: number;
}

/**
 * A stream that gives the same batches every time it is opened for an epoch, as a dataset, so that runs on it can be resumed.
 *
 * Starting at batch n reads and drops n batches.
 *
 * @param open Opens it for an epoch with the key of the data. Equal arguments must give equal batches: this is not checked.
 */
export function asDataset<B>(
  open: (epoch: number, key: Key) => AsyncIterable<B>,
  { size, batchSize, batchesPerEpoch = Math.ceil(size / batchSize) }: AsDatasetOptions,
): Dataset<B> {
  checkNumber('size', size, { min: 1, integer: true });
  checkNumber('batchSize', batchSize, { min: 1, integer: true });
  checkNumber('batchesPerEpoch', batchesPerEpoch, { min: 1, integer: true });
  return {
    size,
    batchSize,
    batchesPerEpoch,
    async *batches({ key, epoch, from = 0 }) {
      let index = 0;
      for await (const batch of open(epoch, key)) {
        if (index++ < from) disposeBatch(batch);
        else yield batch;
      }
      if (index !== batchesPerEpoch) {
        throw new FrugalError(
          'BAD_DATA',
          `Epoch ${epoch} had ${index} batches, batchesPerEpoch says ${batchesPerEpoch}. Pass the right number.`,
        );
      }
    },
  };
}

/**
 * Shuffles a stream within a window of `size` elements, seeded: each comes out at random from those that wait.
 *
 * @param size Elements that wait at a time; 1 leaves the order as it is. All of them are in memory.
 */
export function shuffleStream<B>(
  stream: Stream<B>,
  size: number,
  key: Key,
): (epoch: number) => AsyncGenerator<B, void, undefined> {
  checkNumber('size', size, { min: 1, integer: true });
  return async function* shuffled(epoch) {
    const epochKey = foldIn(key, epoch);
    const waiting: B[] = [];
    const draw = new Int32Array(1);
    let drawn = 0;
    const take = (): B => {
      fillIntegers(foldIn(epochKey, drawn++), draw, 0, waiting.length);
      const [last] = waiting.splice(draw[0]!, 1);
      return last!;
    };
    try {
      for await (const element of openStream(stream, epoch)) {
        waiting.push(element);
        if (waiting.length === size) yield take();
      }
      while (waiting.length > 0) yield take();
    } finally {
      for (const element of waiting) disposeBatch(element);
    }
  };
}
