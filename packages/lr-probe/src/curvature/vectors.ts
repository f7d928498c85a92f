import { type Key, randomNormal, randomSigns, type Tree, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** A tree as one vector [n], its leaves one after the other. */
export function flatten(tree: Tree): tf.Tensor1D {
  return tf.tidy(() => tf.concat(treeLeaves(tree).map((leaf) => tf.reshape(leaf, [leaf.size]) as tf.Tensor1D)));
}

/** A vector in the structure of `like`. */
export function unflatten<P extends Tree>(like: P, vector: tf.Tensor1D): P {
  const leaves = treeLeaves(like);
  return tf.tidy(() => {
    const parts = tf.split(
      vector,
      leaves.map(({ size }) => size),
    );
    return treeUnflatten(
      like,
      parts.map((part, i) => tf.reshape(part, leaves[i]!.shape)),
    ) as P & tf.TensorContainer;
  });
}

/** A random direction [n]: of signs, whose mean square is exactly 1, or a normal one of length 1. */
export function randomVector(key: Key, size: number, kind: 'signs' | 'unit'): tf.Tensor1D {
  if (kind === 'signs') return randomSigns(key, [size]) as tf.Tensor1D;
  return tf.tidy(() => {
    const v = randomNormal(key, [size]) as tf.Tensor1D;
    return tf.div(v, tf.norm(v)) as tf.Tensor1D;
  });
}
