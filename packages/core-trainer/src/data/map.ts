import { type Dataset, foldIn, type Key, split, type Tree, treeLeaves } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/**
 * A dataset whose batches go through `f`: augmentation, encoding, an objective.
 *
 * `f` gets a key of its own for each batch of each epoch, so what it draws is the same after a resume.
 *
 * @param f Makes a batch from a batch, in a tidy; it may hand on tensors of the old one. What it drops is freed.
 */
export function mapBatches<A extends Tree, B extends Tree>(
  dataset: Dataset<A>,
  f: (batch: A, key: Key) => B,
): Dataset<B> {
  return {
    size: dataset.size,
    batchSize: dataset.batchSize,
    batchesPerEpoch: dataset.batchesPerEpoch,
    async *batches({ key, epoch, from = 0 }) {
      const drawKey = foldIn(split(key)[1], epoch);
      let index = from;
      for await (const batch of dataset.batches({ key, epoch, from })) {
        const mapped = tf.tidy(() => f(batch, foldIn(drawKey, index)) as tf.TensorContainer) as B;
        index++;
        const kept = new Set<unknown>(treeLeaves(mapped as Tree));
        for (const leaf of treeLeaves(batch as Tree)) if (!kept.has(leaf)) leaf.dispose();
        yield mapped;
      }
    },
  };
}
