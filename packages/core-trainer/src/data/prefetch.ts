import type { Dataset, Tree } from '@frugal/tensor';
import { checkNumber } from '../arguments.ts';
import { disposeBatch } from './batch.ts';

/** Reads up to `depth` batches ahead of the consumer; what nobody took is freed. */
export async function* readAhead<B>(batches: AsyncIterable<B>, depth: number): AsyncGenerator<B, void, undefined> {
  const iterator = batches[Symbol.asyncIterator]();
  const queue: Promise<IteratorResult<B>>[] = [];
  const fill = (): void => {
    while (queue.length < depth) {
      const next = iterator.next();
      next.catch(() => undefined); // thrown where it is taken
      queue.push(next);
    }
  };
  try {
    for (;;) {
      fill();
      const { done, value } = await queue.shift()!;
      if (done === true) return;
      fill();
      yield value;
    }
  } finally {
    for (const left of await Promise.allSettled(queue)) {
      if (left.status === 'fulfilled' && left.value.done !== true) disposeBatch(left.value.value);
    }
    await iterator.return?.();
  }
}

/**
 * A dataset that prepares the next `depth` batches while a step runs: for data that is fetched, decoded or read from disk.
 *
 * Data in memory gains nothing by it. Memory: `depth` more batches.
 */
export function prefetch<B extends Tree>(dataset: Dataset<B>, depth = 2): Dataset<B> {
  checkNumber('depth', depth, { min: 1, integer: true });
  return {
    size: dataset.size,
    batchSize: dataset.batchSize,
    batchesPerEpoch: dataset.batchesPerEpoch,
    batches: (options) => readAhead(dataset.batches(options), depth),
  };
}
