import { type Dataset, foldIn, type Labelled, randomPermutation } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Batches of two tensors in a new order each epoch, the smaller last one left out. */
export function tensorDataset(x: tf.Tensor, y: tf.Tensor, batchSize: number): Dataset<Labelled> {
  const size = x.shape[0]!;
  const batchesPerEpoch = Math.max(1, Math.floor(size / batchSize));
  const rows = Math.min(size, batchSize);
  return {
    size: batchesPerEpoch * rows,
    batchSize: rows,
    batchesPerEpoch,
    async *batches({ key, epoch, from = 0 }) {
      const order = randomPermutation(foldIn(key, epoch), size);
      for (let i = from; i < batchesPerEpoch; i++) {
        yield tf.tidy(() => {
          const chosen = tf.tensor1d(Int32Array.from(order.subarray(i * rows, (i + 1) * rows)), 'int32');
          return { x: tf.gather(x, chosen), y: tf.gather(y, chosen) };
        });
      }
    },
  };
}
