import {
  FrugalError,
  type GradientTransformation,
  isTensor,
  type Tree,
  treeClone,
  treeDispose,
  treeMap,
  treeMaterialize,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The state with the squares of `grads` wherever there is a second moment `v` beside an `m`. */
function seeded(state: Tree, grads: Tree): { state: Tree; found: boolean } {
  if (isTensor(state)) return { state: state.clone(), found: false };
  const squares = (): Tree => treeMap((g) => tf.square(g), grads);
  const moments = 'm' in state && 'v' in state;
  let found = moments;
  const entries = Object.entries(state as Record<string, Tree>).map(([name, child]): [string, Tree] => {
    if (moments && name === 'v') return [name, squares()];
    const inner = moments ? { state: treeClone(child), found: true } : seeded(child, grads);
    found ||= inner.found;
    return [name, inner.state];
  });
  const next = Array.isArray(state) ? entries.map(([, child]) => child) : Object.fromEntries(entries);
  return { state: next as Tree, found };
}

/**
 * GI-Adam (arXiv 2406.09405): an Adam whose second moments begin as the squares of the first gradient instead of 0.
 *
 * With the usual correction of their bias that is a warm-up of its own, as √(1 − β₂ᵗ), and lowers the preconditioned sharpness
 * at the start as much.
 *
 * @param optimizer Any whose state holds moments `m` and `v`: `adam`, `adamw`, `nadamw`.
 * @throws {FrugalError} `NO_SECOND_MOMENT` at the first step of another one.
 */
export function gradientInitialised<S extends Tree>(optimizer: GradientTransformation<S>): GradientTransformation<S> {
  function start(state: S, grads: UpdateTree): S {
    const dense = treeMaterialize(grads);
    const next = seeded(state, dense);
    treeDispose(dense);
    if (next.found) return next.state as S;
    treeDispose(next.state);
    throw new FrugalError(
      'NO_SECOND_MOMENT',
      "gradientInitialised found no moments 'm' and 'v' in the optimizer's state. Pass adam, adamw or nadamw.",
    );
  }
  return {
    ...optimizer,
    update(grads, state, params, extra) {
      if (extra.step > 0) return optimizer.update(grads, state, params, extra);
      const first = start(state, grads);
      try {
        return optimizer.update(grads, first, params, extra);
      } finally {
        treeDispose(first);
      }
    },
    ...(optimizer.step === undefined
      ? {}
      : {
          step: (grads, state, params, extra) => {
            if (extra.step > 0) return optimizer.step!(grads, state, params, extra);
            const first = start(state, grads);
            treeDispose(state);
            return optimizer.step!(grads, first, params, extra);
          },
        }),
  };
}
