import { type Dataset, FrugalError, gatherRows, type Tree, treeEntries, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type BatchOptions, rowDataset } from './rows.ts';

/**
 * Batches of examples that are tensors already, gathered on the device; seeded and resumable at any batch.
 *
 *     fromTensors({ x: images, y: labels }, { batchSize: 64 })
 *
 * @param examples A tree of tensors `[N, …]`. It stays the caller's and must live as long as the dataset is used.
 * @returns Batches of the same structure, `[B, …]` each.
 * @throws {FrugalError} `INVALID_ARGUMENT` if the first axes differ or a count is out of range.
 */
export function fromTensors<T extends Tree>(examples: T, options: BatchOptions): Dataset<T> {
  const leaves = treeEntries(examples as Tree) as [string, tf.Tensor][];
  const size = leaves[0]?.[1].shape[0] ?? 0;
  const odd = leaves.find(([, leaf]) => leaf.shape[0] !== size);
  if (odd !== undefined) {
    const [path, leaf] = odd;
    throw new FrugalError(
      'INVALID_ARGUMENT',
      `examples: '${path}' has shape [${leaf.shape}], '${leaves[0]![0]}' has ${size} rows. The first axis must be equal.`,
    );
  }
  return rowDataset(size, options, (start, end, order) => {
    const rows = order && new Int32Array(order.buffer, order.byteOffset + 4 * start, end - start);
    return treeUnflatten(
      examples as Tree,
      leaves.map(([, leaf]) => (rows === undefined ? tf.slice(leaf, start, end - start) : gatherRows(leaf, rows))),
    ) as T;
  });
}
