import {
  type GradientTransformation,
  isStructured,
  type StructuredLeaf,
  treeLeaves,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { type NoState, stateless, stepOf } from './support.ts';

/** The structured kinds that pass through a multiplication by a number. */
const SCALABLE = ['rankOne', 'signs'] as const;

function scaleLeaf(leaf: tf.Tensor | StructuredLeaf, factor: number): tf.Tensor | StructuredLeaf {
  if (!isStructured(leaf)) return factor === 1 ? leaf.clone() : tf.mul(leaf, factor);
  return leaf.scale?.(factor) ?? tf.tidy(() => tf.mul(leaf.materialize(), factor));
}

/** factor · updates: new leaves; structured ones stay structured. */
export function scaleTree(updates: UpdateTree, factor: number): UpdateTree {
  return treeUnflatten(
    updates,
    treeLeaves(updates).map((leaf) => scaleLeaf(leaf, factor)),
  );
}

/** Passes the gradients on. */
export function identity(): GradientTransformation<NoState> {
  return scale(1);
}

/** Multiplies the updates by a number. */
export function scale(factor: number): GradientTransformation<NoState> {
  checkNumber('factor', factor);
  return stateless((updates) => scaleTree(updates, factor), { accepts: SCALABLE });
}

/** Multiplies the updates by a schedule of the step. */
export function scaleBySchedule(schedule: Rate): GradientTransformation<NoState> {
  const at = toSchedule('schedule', schedule);
  return stateless((updates, _params, extra) => scaleTree(updates, at(stepOf(extra))), { accepts: SCALABLE });
}

/** Multiplies the updates by −learningRate: the last member of an optimizer that descends. */
export function scaleByLearningRate(learningRate: Rate): GradientTransformation<NoState> {
  const at = toSchedule('learningRate', learningRate);
  return stateless((updates, _params, extra) => scaleTree(updates, -at(stepOf(extra))), {
    accepts: SCALABLE,
    hyperparams: (step) => ({ learningRate: at(step) }),
  });
}
