import {
  type GradientTransformation,
  isStructured,
  type StructuredLeaf,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMap,
  treeUnflatten,
  type UpdateExtra,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { addScaled, release } from './support.ts';

/** A tree of updates in which some leaves may have been made dense; `dispose` frees those and nothing else. */
export interface Dense {
  tree: UpdateTree;
  dispose(): void;
}

/** Materialises the structured leaves whose kind is not in `accepts`; the other leaves are passed on as they are. */
export function densify(updates: UpdateTree, accepts: readonly string[] = []): Dense {
  const leaves = treeLeaves(updates);
  const refused = (leaf: tf.Tensor | StructuredLeaf): leaf is StructuredLeaf =>
    isStructured(leaf) && !accepts.includes(leaf.kind);
  if (!leaves.some(refused)) return { tree: updates, dispose: () => undefined };
  const made: tf.Tensor[] = [];
  const dense = leaves.map((leaf) => {
    if (!refused(leaf)) return leaf;
    const tensor = leaf.materialize();
    made.push(tensor);
    return tensor;
  });
  return { tree: treeUnflatten(updates, dense), dispose: () => tf.dispose(made) };
}

function addLeaf(p: tf.Tensor, u: tf.Tensor | StructuredLeaf): tf.Tensor {
  if (!isStructured(u)) return tf.add(p, u);
  if (u.addTo !== undefined) return u.addTo(p.clone(), 1);
  return tf.tidy(() => tf.add(p, u.materialize()));
}

/**
 * params + updates, leaf by leaf.
 *
 * @returns New tensors that the caller owns; both arguments stay.
 * @throws {TreeMismatchError} If the trees differ in structure.
 */
export function applyUpdates<P extends Tree>(params: P, updates: UpdateTree): P {
  return treeMap((p, u) => addLeaf(p, u as tf.Tensor | StructuredLeaf as tf.Tensor), params, updates) as P;
}

/** params + updates; `params` are donated. */
function addUpdates<P extends Tree>(params: P, updates: UpdateTree): P {
  if (!treeLeaves(updates).some(isStructured)) return addScaled(params, updates as Tree, 1);
  const moved = applyUpdates(params, updates);
  release(treeLeaves(params));
  return moved;
}

/**
 * One step of an optimizer, by its fused `step` where it has one, otherwise by `update` and adding.
 *
 * Structured leaves that the optimizer does not accept arrive materialised.
 *
 * @param params - Donated, like `state`: do not use them afterwards. A `tf.Variable` is left to its owner.
 * @returns The new parameters and the new state, which the caller owns; `grads` stay.
 */
export function takeStep<P extends Tree, S extends Tree>(
  optimizer: GradientTransformation<S>,
  grads: UpdateTree,
  state: S,
  params: P,
  extra: UpdateExtra,
): [P, S] {
  const dense = densify(grads, optimizer.accepts);
  try {
    if (optimizer.step !== undefined) return optimizer.step(dense.tree, state, params, extra);
    const [updates, next] = optimizer.update(dense.tree, state, params, extra);
    const moved = addUpdates(params, updates);
    treeDispose(updates);
    treeDispose(state);
    return [moved, next];
  } finally {
    dense.dispose();
  }
}
