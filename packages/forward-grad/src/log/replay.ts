import {
  FrugalError,
  type GradientTransformation,
  isStructured,
  type Tree,
  treeClone,
  treeDispose,
  treeLeaves,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { SeededEstimator } from '../estimators/seeded.ts';
import type { StepLog } from './step-log.ts';

/** Where a replay starts. */
export interface ReplayOptions<P extends Tree, S extends Tree> {
  /** The parameters before the first step of the log; they stay the caller's. */
  params: P;
  /** The optimizer of the run. */
  optimizer: GradientTransformation<S>;
  /** Its state before the first step; stays the caller's. Default: a fresh one. */
  state?: S;
  /** The number of updates made before the first step. Default 0. */
  step?: number;
}

/**
 * Makes the steps of a log again, without data and without the loss.
 *
 * Equal bit for bit to the run on the same backend; with signs and plain SGD, which only add and multiply, across
 * backends up to the rounding of fused multiply-adds. Optimizers that ask for the loss or evaluate it cannot be replayed.
 *
 * @param estimator With the options of the one that was recorded.
 * @returns Parameters and state of the optimizer after the last step; the caller owns them.
 * @throws {FrugalError} `BAD_LOG` if the log has another number of directions.
 */
export function replay<P extends Tree, S extends Tree>(
  log: StepLog,
  estimator: SeededEstimator,
  options: ReplayOptions<P, S>,
): { params: P; state: S } {
  const { optimizer, step: first = 0 } = options;
  if (log.directions !== estimator.directions) {
    throw new FrugalError(
      'BAD_LOG',
      `The log has ${log.directions} directions a step, the estimator ${estimator.directions}.`,
    );
  }
  let params = treeClone(options.params);
  let state = options.state === undefined ? optimizer.init(params) : treeClone(options.state);
  for (const [i, { key, scalars }] of log.steps.entries()) {
    const measured = tf.tensor1d(scalars);
    const grads = accepted(estimator.rebuild(params, key, measured), optimizer.accepts ?? []);
    measured.dispose();
    [params, state] = applyStep(optimizer, grads, state, params, first + i);
    treeDispose(grads);
  }
  return { params, state };
}

/** Makes leaves of kinds that the optimizer does not accept dense; the others are passed on. */
function accepted(grads: UpdateTree, kinds: readonly string[]): UpdateTree {
  const leaves = treeLeaves(grads).map((leaf) => {
    if (!isStructured(leaf) || kinds.includes(leaf.kind)) return leaf;
    const dense = leaf.materialize();
    leaf.dispose();
    return dense;
  });
  return treeUnflatten(grads, leaves);
}

function applyStep<P extends Tree, S extends Tree>(
  optimizer: GradientTransformation<S>,
  grads: UpdateTree,
  state: S,
  params: P,
  step: number,
): [P, S] {
  if (optimizer.step !== undefined) return optimizer.step(grads, state, params, { step });
  const [updates, next] = optimizer.update(grads, state, params, { step });
  const columns = treeLeaves(updates);
  const moved = treeLeaves(params).map((p, i) => {
    const update = columns[i]!;
    if (!isStructured(update)) return tf.add(p as tf.Tensor, update);
    return update.addTo?.(tf.clone(p as tf.Tensor), 1) ?? tf.tidy(() => tf.add(p as tf.Tensor, update.materialize()));
  });
  treeDispose(updates);
  treeDispose(state);
  treeDispose(params);
  return [treeUnflatten(params, moved), next];
}
