import { type Tree, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** A copy of a tree of the current backend on another one; the current one is the same afterwards. */
export async function copyTree<T>(backend: string, tree: T): Promise<T> {
  const leaves = treeLeaves(tree as Tree);
  const values = await Promise.all(leaves.map((leaf) => leaf.data()));
  const here = tf.getBackend();
  await tf.setBackend(backend);
  const copies = leaves.map((leaf, i) => tf.tensor(values[i]!.slice(), leaf.shape, leaf.dtype));
  await tf.setBackend(here);
  return treeUnflatten(tree as Tree, copies) as T;
}
