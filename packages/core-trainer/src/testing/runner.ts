import {
  type GradientTransformation,
  type Tree,
  treeClone,
  treeDispose,
  treeLeaves,
  treeUnflatten,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { applyUpdates, takeStep } from '../transforms/index.ts';
import { demandSameForm, type Snapshot, snapshot } from './compare.ts';
import { evaluate, type Problem, wobble } from './problems.ts';

/** Where a run stands. */
export interface Progress {
  params: Tree;
  state: Tree;
  step: number;
}

/** `step` takes the fused step where there is one; `update` updates and adds. */
export type How = 'step' | 'update';

/** A run at its start; the caller owns what it holds. */
export function begin(optimizer: GradientTransformation, params: Tree): Progress {
  return { params, state: optimizer.init(params), step: 0 };
}

/** Frees what a run holds. */
export function end({ params, state }: Progress): void {
  treeDispose([params, state]);
}

/** One step along given gradients. Donates `progress`. */
export function follow(
  optimizer: GradientTransformation,
  { params, state, step }: Progress,
  grads: Tree,
  how: How = 'step',
  extra: { loss?: tf.Scalar; evaluate?: (params: Tree) => tf.Scalar } = {},
): Progress {
  const loss = extra.loss ?? tf.scalar(1);
  const given = { evaluate: () => tf.scalar(1), ...extra, loss, step };
  let next: Progress;
  if (how === 'step') {
    const [moved, after] = takeStep(optimizer, grads, state, params, given);
    next = { params: moved, state: after, step: step + 1 };
  } else {
    const [updates, after] = optimizer.update(grads, state, params, given);
    next = { params: applyUpdates(params, updates), state: after, step: step + 1 };
    treeDispose([updates as Tree, params, state]);
  }
  if (extra.loss === undefined) loss.dispose();
  return next;
}

/** Steps down a problem. Donates `progress`. */
export function descend(
  optimizer: GradientTransformation,
  problem: Problem,
  progress: Progress,
  steps: number,
  how: How = 'step',
): Progress {
  let at = progress;
  for (let i = 0; i < steps; i++) {
    const { loss, grads } = evaluate(problem, at.params);
    const again = (params: Tree) => tf.tidy(() => problem.loss(params)) as tf.Scalar;
    at = follow(optimizer, at, grads, how, { loss, evaluate: again });
    treeDispose([loss, grads]);
  }
  return at;
}

/** Gradients that depend on nothing but `phase`; the caller owns them. */
export function gradients(like: Tree, phase: number): Tree {
  const leaves = treeLeaves(like).map((leaf, i) => tf.tensor(wobble(leaf.size, phase + i / 7), leaf.shape));
  return treeUnflatten(like, leaves);
}

/** Reads both halves of a run, as a checkpoint would. */
export async function save({ params, state }: Progress): Promise<{ params: Snapshot; state: Snapshot }> {
  return { params: await snapshot(params), state: await snapshot(state) };
}

/** A tree like `like` with what was saved; the caller owns it. */
export async function restore(like: Tree, saved: Snapshot): Promise<Tree> {
  demandSameForm('a state that is restored into the form of a fresh one', saved, await snapshot(like));
  const leaves = Object.values(saved).map(({ values, shape, dtype }) => tf.tensor(values as number[], shape, dtype));
  return treeUnflatten(like, leaves);
}

/** Clones of all that a run holds: what was donated must not be seen through them. */
export function copy({ params, state, step }: Progress): Progress {
  return { params: treeClone(params), state: treeClone(state), step };
}

/** Steps along `count` gradients that depend on the step number only. Donates `progress`. */
export function followed(
  optimizer: GradientTransformation,
  progress: Progress,
  count: number,
  how: How = 'step',
): Progress {
  let at = progress;
  for (let i = 0; i < count; i++) {
    const grads = gradients(at.params, at.step);
    at = follow(optimizer, at, grads, how);
    treeDispose(grads);
  }
  return at;
}
