import {
  type GradientTransformation,
  type StructuredLeaf,
  type Tree,
  treeEntries,
  treeLeaves,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { scaleTree } from './scale.ts';

/** Which parameters: gets the path (`'blocks.0.mlp.weight'`) and the parameter. */
export type Mask = (path: string, parameter: tf.Tensor) => boolean;

/** Parameters of rank 2 and more: weights, but no biases and no norm scales. The usual mask of weight decay. */
export const matricesOnly: Mask = (_path, parameter) => parameter.rank >= 2;

/** Whether each leaf of `params` is selected, in the order of `treeLeaves`. */
export function selected(mask: Mask | undefined, params: Tree): boolean[] {
  return treeEntries(params).map(([path, leaf]) => mask?.(path, leaf) ?? true);
}

/** The selected leaves as a flat tree, under their paths. */
export function pick(tree: Tree, keep: readonly boolean[]): Record<string, tf.Tensor>;
export function pick(tree: UpdateTree, keep: readonly boolean[]): Record<string, tf.Tensor | StructuredLeaf>;
export function pick(tree: UpdateTree, keep: readonly boolean[]): Record<string, tf.Tensor | StructuredLeaf> {
  return Object.fromEntries(treeEntries(tree).filter((_, i) => keep[i]));
}

/** A tree like `like` from the leaves of the selected part and, in between, `other(leaf)`. */
export function merge<T extends Tree | UpdateTree>(
  like: T,
  keep: readonly boolean[],
  part: UpdateTree,
  other: (leaf: tf.Tensor | StructuredLeaf) => tf.Tensor | StructuredLeaf,
): T {
  const picked = treeLeaves(part);
  let next = 0;
  const leaves = treeLeaves(like as UpdateTree).map((leaf, i) => (keep[i] ? picked[next++]! : other(leaf)));
  return treeUnflatten(like, leaves);
}

/** Options of `masked`. */
export interface MaskedOptions {
  /** What happens to the others: their updates pass unchanged, or are zero so that the parameters stay. Default `'pass'`. */
  rest?: 'pass' | 'freeze';
}

/**
 * Applies a transformation to the selected parameters only; its state covers only those.
 *
 * With `rest: 'pass'` the other *gradients* go on to the next member of the chain: right for a transformation such as
 * weight decay. To train a part of a model, wrap the whole optimizer with `rest: 'freeze'`.
 */
export function masked<S extends Tree>(
  inner: GradientTransformation<S>,
  mask: Mask,
  { rest = 'pass' }: MaskedOptions = {},
): GradientTransformation<S> {
  const passOn = (leaf: tf.Tensor | StructuredLeaf) => scaleTree(leaf, 1) as tf.Tensor | StructuredLeaf;
  const nothing = (leaf: tf.Tensor | StructuredLeaf) => tf.zeros(leaf.shape as number[]);

  const step: GradientTransformation<S>['step'] = (grads, state, params, extra) => {
    const keep = selected(mask, params);
    const [moved, next] = inner.step!(pick(grads, keep), state, pick(params, keep), extra);
    return [merge(params, keep, moved, (leaf) => leaf), next];
  };

  return {
    init: (params) => inner.init(pick(params, selected(mask, params))),
    update: (updates, state, params, extra) => {
      const keep = selected(mask, params);
      const [moved, next] = inner.update(pick(updates, keep), state, pick(params, keep), extra);
      return [merge(updates, keep, moved, rest === 'pass' ? passOn : nothing), next];
    },
    ...(inner.step !== undefined && rest === 'freeze' ? { step } : {}),
    ...(inner.evaluationParams === undefined
      ? {}
      : {
          evaluationParams: (state, params) => {
            const keep = selected(mask, params);
            const part = inner.evaluationParams!(state, pick(params, keep));
            return merge(params, keep, part, (leaf) => (leaf as tf.Tensor).clone());
          },
        }),
    ...(inner.hyperparams === undefined ? {} : { hyperparams: (at: number) => inner.hyperparams!(at) }),
    ...(inner.accepts === undefined ? {} : { accepts: inner.accepts }),
  };
}
