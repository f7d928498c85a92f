import { isStructured, type Tree, treeEntries, type UpdateTree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

function denseLeaves(tree: Tree | UpdateTree): [string, tf.Tensor][] {
  const entries = treeEntries(tree as UpdateTree);
  return entries.filter(
    (entry): entry is [string, tf.Tensor] => !isStructured(entry[1]) && entry[1].dtype === 'float32',
  );
}

/**
 * The sum of all numbers in a tree: finite only if each of them is. One pass and no copy.
 *
 * Structured leaves are left out: they are made of scalars that the loss has been through.
 */
export function sumOf(tree: UpdateTree): tf.Scalar {
  return tf.tidy(() => {
    const sums = denseLeaves(tree).map(([, leaf]) => tf.sum(leaf) as tf.Scalar);
    return sums.length === 0 ? tf.scalar(0) : tf.addN(sums);
  });
}

/** NaN if any number of `x` is NaN or infinite, else 0: unlike a plain sum it cannot overflow. */
export function poison(x: tf.Tensor): tf.Scalar {
  return tf.tidy(() => tf.sum(tf.mul(x, 0)));
}

/** The paths of the leaves that are not finite everywhere, in the order of the tree. */
export async function nonFinitePaths(tree: Tree | UpdateTree): Promise<string[]> {
  const entries = denseLeaves(tree);
  const flags = entries.map(([, leaf]) => poison(leaf));
  try {
    const values = await Promise.all(flags.map((flag) => flag.data()));
    return entries.filter((_, i) => !Number.isFinite(values[i]![0])).map(([path]) => path);
  } finally {
    tf.dispose(flags);
  }
}
