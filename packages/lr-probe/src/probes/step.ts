import {
  type GradientTransformation,
  isStructured,
  type ModuleState,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMap,
  treeMaterialize,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { read, type Scene } from '../scene.ts';

/** A copy under training; `params` and `slots` are donated to each step, also where it fails. */
export interface Copy<P extends Tree> {
  params: P;
  slots: Tree;
  state: ModuleState;
  /** Which batch, and which step of the schedule. */
  step: number;
}

/**
 * One training step of a copy.
 *
 * The update is made before its loss is read: a read costs little, but a device that waits for it costs more.
 *
 * @param note Sees the gradient, which stays the step's.
 * @returns The loss before the update, and what was moved.
 */
export async function stepOn<P extends Tree, B>(
  scene: Scene<P, B>,
  optimizer: GradientTransformation,
  { params, slots, state, step }: Copy<P>,
  note?: (grads: UpdateTree) => void,
): Promise<{ params: P; slots: Tree; loss: number }> {
  const { loss, grads } = scene.gradient(params, await scene.batch(step), step, state);
  note?.(grads);
  const moved = scene.update(() => apply(optimizer, grads, params, slots, step, loss));
  treeDispose(grads);
  return { ...moved, loss: await read(loss) };
}

function apply<P extends Tree>(
  optimizer: GradientTransformation,
  grads: Tree | Parameters<GradientTransformation['update']>[0],
  params: P,
  slots: Tree,
  step: number,
  loss: tf.Scalar,
): { params: P; slots: Tree } {
  const refused = treeLeaves(grads).some((leaf) => isStructured(leaf) && !optimizer.accepts?.includes(leaf.kind));
  const dense = refused ? treeMaterialize(grads) : grads;
  try {
    if (optimizer.step !== undefined) {
      const [moved, next] = optimizer.step(dense, slots, params, { step, loss });
      return { params: moved, slots: next };
    }
    const [updates, next] = optimizer.update(dense, slots, params, { step, loss });
    const added = treeMaterialize(updates);
    const moved = treeMap((p, u) => tf.add(p, u!), params, added) as P;
    treeDispose([added, params, slots]);
    treeDispose(updates);
    return { params: moved, slots: next };
  } finally {
    if (dense !== grads) treeDispose(dense);
  }
}
