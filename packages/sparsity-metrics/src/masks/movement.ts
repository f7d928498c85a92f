import {
  type GradientTransformation,
  type Tree,
  treeDispose,
  treeMap,
  treeMaterialize,
  treeZerosLike,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** State of `trackMovement`. */
export type MovementState<S extends Tree> = {
  readonly inner: S;
  /** S = −Σ g · w per weight: large where a weight moved away from zero. */
  readonly movement: Tree;
};

/**
 * An optimizer that adds up how each weight moves, for movement pruning (arXiv 2005.07683): S ← S − g · w at every step.
 *
 * Afterwards `pruneByScores(state.movement, amount)` cuts the weights that moved towards zero, however large they are: meant for
 * fine-tuning, where magnitudes were decided before.
 *
 * @param inner The whole optimizer; its updates are not changed.
 */
export function trackMovement<S extends Tree>(
  inner: GradientTransformation<S>,
): GradientTransformation<MovementState<S>> {
  /** The scores after a step from `params`. */
  function moved(movement: Tree, grads: UpdateTree, params: Tree): Tree {
    const dense = treeMaterialize(grads);
    const next = treeMap((s, g, w) => tf.tidy(() => tf.sub(s, tf.mul(g!, w!))), movement, dense, params as never);
    treeDispose(dense);
    return next;
  }

  const step: GradientTransformation<MovementState<S>>['step'] = (grads, state, params, extra) => {
    const movement = moved(state.movement, grads, params);
    treeDispose(state.movement);
    const [next, own] = inner.step!(grads, state.inner, params, extra);
    return [next, { inner: own, movement }];
  };

  return {
    init: (params) => ({ inner: inner.init(params), movement: treeZerosLike(params) }),
    update(grads, state, params, extra) {
      const movement = moved(state.movement, grads, params);
      const [updates, own] = inner.update(grads, state.inner, params, extra);
      return [updates, { inner: own, movement }];
    },
    ...(inner.step === undefined ? {} : { step }),
    ...(inner.evaluationParams === undefined
      ? {}
      : { evaluationParams: (state, params) => inner.evaluationParams!(state.inner, params) }),
    ...(inner.hyperparams === undefined ? {} : { hyperparams: (at: number) => inner.hyperparams!(at) }),
  };
}
