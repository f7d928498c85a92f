import {
  type GradientTransformation,
  type Tree,
  treeClone,
  treeDispose,
  treeZerosLike,
  type UpdateExtra,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { takeStep } from './apply.ts';
import { addScaled, zipLeaves } from './support.ts';

/** State of `accumulate`: the mean gradient so far and the state of the inner transformation. */
export type AccumulateState<S extends Tree = Tree> = { sum: Tree; inner: S };

/**
 * Applies `inner` once in `every` steps, to the mean of their gradients: a large batch in the memory of a small one.
 *
 * In between nothing moves. `inner` counts its own updates: its step is ⌊step / every⌋, and schedules inside follow
 * that. `extra.loss` is the one of the last of the batches.
 */
export function accumulate<S extends Tree>(
  inner: GradientTransformation<S>,
  every: number,
): GradientTransformation<AccumulateState<S>> {
  checkNumber('every', every, { min: 1, integer: true });
  const innerExtra = (extra: UpdateExtra): UpdateExtra => ({ ...extra, step: Math.floor(extra.step / every) });
  const isLast = (extra: UpdateExtra): boolean => (extra.step + 1) % every === 0;
  const { hyperparams, evaluationParams } = inner;

  return {
    init: (params) => ({ sum: treeZerosLike(params), inner: inner.init(params) }),
    update: (grads, state, params, extra) => {
      const [sum] = zipLeaves(1, [state.sum, grads], (old, g) => [tf.add(old!, tf.mul(g!, 1 / every))]);
      if (!isLast(extra)) return [treeZerosLike(params), { sum, inner: treeClone(state.inner) }];
      const [updates, next] = inner.update(sum, state.inner, params, innerExtra(extra));
      treeDispose(sum);
      return [updates, { sum: treeZerosLike(params), inner: next }];
    },
    step: (grads, state, params, extra) => {
      const sum = addScaled(state.sum, grads as Tree, 1 / every);
      if (!isLast(extra)) return [params, { sum, inner: state.inner }];
      const [moved, next] = takeStep(inner, sum, state.inner, params, innerExtra(extra));
      treeDispose(sum);
      return [moved, { sum: treeZerosLike(moved), inner: next }];
    },
    ...(hyperparams === undefined ? {} : { hyperparams: (step) => hyperparams(Math.floor(step / every)) }),
    ...(evaluationParams === undefined
      ? {}
      : { evaluationParams: (state, params) => evaluationParams(state.inner, params) }),
  };
}
