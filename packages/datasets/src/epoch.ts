import { type Dataset, foldIn, type Key } from '@frugal/tensor';
import { checkCount, DataArgumentError } from './errors.ts';
import { permutation } from './host-random.ts';

/** What every dataset of this package has in common. */
export interface BatchOptions {
  /** Examples in a batch. */
  readonly batchSize: number;
  /** A new order every epoch, given by its key. Default: true. */
  readonly shuffle?: boolean;
  /** Leaves out the last batch of an epoch where it is smaller. Default: false. */
  readonly dropRemainder?: boolean;
}

/**
 * A dataset over numbered rows: `assemble` makes the batch of some of them.
 *
 * The order of epoch e follows from `foldIn(key, e)` alone, so any batch of any epoch can be made on its own.
 *
 * @param assemble Makes one batch; `drawKey` is the epoch's, for what `assemble` draws itself.
 */
export function rowDataset<B>(
  size: number,
  options: BatchOptions,
  assemble: (rows: Int32Array, drawKey: Key) => B,
): Dataset<B> {
  const { batchSize, shuffle = true, dropRemainder = false } = options;
  checkCount('size', size);
  checkCount('batchSize', batchSize);
  const batchesPerEpoch = dropRemainder ? Math.floor(size / batchSize) : Math.ceil(size / batchSize);
  if (batchesPerEpoch === 0) {
    throw new DataArgumentError(
      `batchSize ${batchSize} is more than the ${size} examples, and dropRemainder drops them. Lower batchSize.`,
    );
  }
  return {
    size: dropRemainder ? batchesPerEpoch * batchSize : size,
    batchSize,
    batchesPerEpoch,
    async *batches({ key, epoch, from = 0 }) {
      checkCount('from', from, 0);
      const epochKey = foldIn(key, epoch);
      const order = shuffle ? permutation(foldIn(epochKey, 0), size) : Int32Array.from({ length: size }, (_, i) => i);
      const drawKey = foldIn(epochKey, 1);
      for (let batch = from; batch < batchesPerEpoch; batch++) {
        yield assemble(order.subarray(batch * batchSize, Math.min(size, (batch + 1) * batchSize)), drawKey);
      }
    },
  };
}
