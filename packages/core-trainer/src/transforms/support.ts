import {
  assertSameStructure,
  FrugalError,
  type GradientTransformation,
  hasKernel,
  KernelName,
  sgdStep,
  type Tree,
  treeLeaves,
  treeUnflatten,
  type UpdateExtra,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The state of a transformation that keeps nothing. */
export type NoState = Record<string, never>;

/** `tf.tidy` that keeps the type of what it returns. */
export function tidy<T>(f: () => T): T {
  return tf.tidy(f as () => tf.TensorContainer) as T;
}

/**
 * The step number of `extra`.
 *
 * @throws {FrugalError} `MISSING_STEP` where a caller without types left it out.
 */
export function stepOf(extra: UpdateExtra | undefined): number {
  const step = extra?.step;
  if (step !== undefined && Number.isInteger(step) && step >= 0) return step;
  throw new FrugalError(
    'MISSING_STEP',
    `extra.step must be the number of updates made before this one, got ${String(step)}. Pass { step } to update and step.`,
  );
}

/** A transformation without state, from what it does to the updates. */
export function stateless(
  update: (updates: UpdateTree, params: Tree, extra: UpdateExtra) => UpdateTree,
  more: Pick<GradientTransformation, 'accepts' | 'hyperparams'> = {},
): GradientTransformation<NoState> {
  return {
    init: () => ({}),
    update: (updates, _state, params, extra) => [update(updates, params, extra), {}],
    ...more,
  };
}

/** Frees tensors that were donated: all but variables, which belong to a model. */
export function release(tensors: readonly tf.Tensor[]): void {
  for (const tensor of tensors) {
    if (!(tensor instanceof tf.Variable) && !tensor.isDisposed) tensor.dispose();
  }
}

/**
 * Runs `f` on the leaves that stand at the same place of several trees of one structure.
 *
 * @param outputs - How many tensors `f` returns.
 * @returns A tree for each of them, like the first tree; what `f` makes besides is freed.
 * @throws {TreeMismatchError} If the structures differ.
 */
export function zipLeaves<const T extends readonly tf.Tensor[]>(
  outputs: T['length'],
  trees: readonly UpdateTree[],
  f: (...leaves: tf.Tensor[]) => T,
): { [K in keyof T]: Tree } {
  const first = trees[0]!;
  for (const other of trees.slice(1)) assertSameStructure(first, other);
  const columns = trees.map((tree) => treeLeaves(tree) as tf.Tensor[]);
  const rows = columns[0]!.map((_, i) => tidy(() => f(...columns.map((column) => column[i]!))));
  const column = (k: number): Tree =>
    treeUnflatten(
      first,
      rows.map((row) => row[k]!),
    ) as Tree;
  return Array.from({ length: outputs }, (_, k) => column(k)) as unknown as { [K in keyof T]: Tree };
}

/**
 * target + factor · x over whole trees, in one kernel and in place where the backend has it.
 *
 * @param target - Donated.
 * @throws {TreeMismatchError} If the structures differ.
 */
export function addScaled<T extends Tree>(target: T, x: Tree, factor: number): T {
  assertSameStructure(target, x);
  const [params, grads] = [treeLeaves(target), treeLeaves(x)];
  if (hasKernel(KernelName.SgdStep)) {
    return treeUnflatten(target, sgdStep({ params, grads }, { learningRate: -1, gradScale: factor }).params);
  }
  const sums = params.map((leaf, i) =>
    tf.tidy(() => tf.add(leaf, factor === 1 ? grads[i]! : tf.mul(grads[i]!, factor))),
  );
  release(params);
  return treeUnflatten(target, sums);
}

/** decay · average + (1 − decay) · x over whole trees; as `addScaled`, `average` is donated. */
export function follow<T extends Tree>(average: T, x: Tree, decay: number): T {
  assertSameStructure(average, x);
  const [params, grads] = [treeLeaves(average), treeLeaves(x)];
  if (hasKernel(KernelName.SgdStep)) {
    // a − (−(1 − decay)·x + (1 − decay)·a)
    const options = { learningRate: 1, gradScale: decay - 1, decays: params.map(() => 1 - decay) };
    return treeUnflatten(average, sgdStep({ params, grads }, options).params);
  }
  const next = params.map((leaf, i) => tf.tidy(() => tf.add(tf.mul(leaf, decay), tf.mul(grads[i]!, 1 - decay))));
  release(params);
  return treeUnflatten(average, next);
}
