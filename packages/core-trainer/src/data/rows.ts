import { type Dataset, FrugalError, foldIn, randomPermutation } from '@frugal/tensor';
import { checkNumber } from '../arguments.ts';

/** How examples in memory become batches. */
export interface BatchOptions {
  /** Examples in a batch. */
  batchSize: number;
  /** A new order in every epoch, given by its key. Default true. */
  shuffle?: boolean;
  /** Leaves out the last batch of an epoch where it is smaller. Default false. */
  dropRemainder?: boolean;
}

/** A dataset over numbered rows. `assemble` makes a batch of the rows; `order` is undefined where they are in order. */
export function rowDataset<B>(
  size: number,
  options: BatchOptions,
  assemble: (start: number, end: number, order: Uint32Array | undefined) => B,
): Dataset<B> {
  const { batchSize, shuffle = true, dropRemainder = false } = options;
  checkNumber('the number of examples', size, { min: 1, integer: true });
  checkNumber('batchSize', batchSize, { min: 1, integer: true });
  const batchesPerEpoch = dropRemainder ? Math.floor(size / batchSize) : Math.ceil(size / batchSize);
  if (batchesPerEpoch === 0) {
    throw new FrugalError(
      'INVALID_ARGUMENT',
      `batchSize is ${batchSize}, there are ${size} examples, and dropRemainder drops them all. Lower batchSize.`,
    );
  }
  return {
    size: dropRemainder ? batchesPerEpoch * batchSize : size,
    batchSize,
    batchesPerEpoch,
    async *batches({ key, epoch, from = 0 }) {
      checkNumber('from', from, { min: 0, integer: true });
      const order = shuffle ? randomPermutation(foldIn(key, epoch), size) : undefined;
      for (let batch = from; batch < batchesPerEpoch; batch++) {
        yield assemble(batch * batchSize, Math.min(size, (batch + 1) * batchSize), order);
      }
    },
  };
}
