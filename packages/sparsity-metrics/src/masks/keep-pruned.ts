import {
  type GradientTransformation,
  type Tree,
  treeDispose,
  treeEntries,
  treeMaterialize,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkMasks, type Masks, mapMasked, masked } from './masks.ts';

/** Masks, or what gives those that hold now: for masks that change while a net is trained. */
export type MaskSource = Masks | (() => Masks);

/**
 * An optimizer under which cut weights stay zero, whatever momentum, decay or noise it has.
 *
 * Cut gradients are zero for it, and its updates take what is cut to zero: Δ = m·u − (1 − m)·p. So the parameters need not be
 * masked before. Has a `step` where the optimizer has one. The masks stay the caller's and must live as long as this is used.
 *
 * @param inner The whole optimizer.
 * @param masks From any pruning; a function is asked at every step.
 * @throws {FrugalError} `MASK_MISMATCH` from `init`, if a mask fits no parameter.
 */
export function keepPruned<S extends Tree>(
  inner: GradientTransformation<S>,
  masks: MaskSource,
): GradientTransformation<S> {
  const now = typeof masks === 'function' ? masks : () => masks;

  /** Runs `f` with dense gradients whose cut entries are zero. */
  function withMasked<R>(grads: UpdateTree, f: (left: Tree) => R): R {
    const dense = treeMaterialize(grads);
    const left = mapMasked(
      dense,
      now(),
      (leaf, mask) => tf.mul(leaf, mask),
      (leaf) => leaf.clone(),
    );
    treeDispose(dense);
    try {
      return f(left);
    } finally {
      treeDispose(left);
    }
  }

  /** The tree with cut entries set to zero; takes over the leaves that it is given. */
  function zeroed<P extends Tree>(tree: P): P {
    const masks = now();
    const out = mapMasked(tree, masks, masked, (leaf) => leaf);
    for (const [path, leaf] of treeEntries(tree)) {
      if (masks[path] !== undefined && !(leaf instanceof tf.Variable)) leaf.dispose();
    }
    return out;
  }

  const step: GradientTransformation<S>['step'] = (grads, state, params, extra) =>
    withMasked(grads, (left) => {
      const [moved, next] = inner.step!(left, state, params, extra);
      return [zeroed(moved), next];
    });

  return {
    init(params) {
      checkMasks(now(), params);
      return inner.init(params);
    },
    update: (grads, state, params, extra) =>
      withMasked(grads, (left) => {
        const [raw, next] = inner.update(left, state, params, extra);
        const updates = treeMaterialize(raw);
        treeDispose(raw);
        const parameters = new Map(treeEntries(params));
        const paths = treeEntries(updates).map(([path]) => path);
        let i = 0;
        const out = mapMasked(
          updates,
          now(),
          (u, mask) => tf.tidy(() => tf.add(tf.mul(u, mask), tf.mul(parameters.get(paths[i++]!)!, tf.sub(mask, 1)))),
          (u) => {
            i++;
            return u.clone();
          },
        );
        treeDispose(updates);
        return [out, next];
      }),
    ...(inner.step === undefined ? {} : { step }),
    ...(inner.evaluationParams === undefined
      ? {}
      : { evaluationParams: (state, params) => zeroed(inner.evaluationParams!(state, params)) }),
    ...(inner.hyperparams === undefined ? {} : { hyperparams: (at: number) => inner.hyperparams!(at) }),
  };
}
