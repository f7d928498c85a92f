import { type Tree, treeDispose, treeMaterialize } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { flatten } from '../curvature/vectors.ts';
import type { Scene } from '../scene.ts';

/** The gradients of the first `count` batches as rows [count, n], in float32; the caller owns them. */
export async function gradientRows<P extends Tree, B>(scene: Scene<P, B>, count: number): Promise<tf.Tensor2D> {
  const rows: tf.Tensor1D[] = [];
  const state = scene.state();
  try {
    for (let i = 0; i < count; i++) {
      const { loss, grads } = scene.gradient(scene.problem.params, await scene.batch(i), i, state);
      const dense = treeMaterialize(grads);
      rows.push(flatten(dense));
      treeDispose([loss, dense]);
      treeDispose(grads);
      scene.tell({ probe: 'gradients', done: i + 1, total: count });
    }
    return tf.stack(rows) as tf.Tensor2D;
  } finally {
    tf.dispose(rows);
    state.dispose();
  }
}
