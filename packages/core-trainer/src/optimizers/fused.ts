import {
  assertSameStructure,
  type GradientTransformation,
  type Schedule,
  type SgdStepOptions,
  type Tree,
  treeLeaves,
  treeUnflatten,
  type UpdateExtra,
} from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import { type Rate, toSchedule } from '../schedules/index.ts';
import type { ChainState } from '../transforms/chain.ts';
import { type Mask, selected } from '../transforms/mask.ts';
import { stepOf } from '../transforms/support.ts';

/** What every optimizer with a step kernel has. */
export interface StepNumbers {
  learningRate: Rate;
  weightDecay: number;
  mask?: Mask | undefined;
}

/** What a step kernel is run on: leaves of one order, numbers of this step, the state. */
export interface StepCall {
  params: tf.Tensor[];
  /** Dense, but for the kinds that the chain accepts. */
  grads: tf.Tensor[];
  options: SgdStepOptions;
  /** Updates before this one. */
  step: number;
}

/**
 * A chain with a `step` of one kernel for the whole tree.
 *
 * @param run - Moves the leaves; gets the chain's state and returns the new parameters and the next state, in the
 * same layout as the chain's own.
 */
export function withStepKernel(
  composed: GradientTransformation<ChainState>,
  { learningRate, weightDecay, mask }: StepNumbers,
  run: (call: StepCall, state: ChainState) => [tf.Tensor[], ChainState],
): GradientTransformation<ChainState> {
  const rate = toSchedule('learningRate', learningRate);
  return {
    ...composed,
    step: (grads, state, params, extra) => {
      assertSameStructure(params, grads);
      const options = stepOptions(rate, weightDecay, mask, params, extra);
      const [moved, next] = run(
        { params: treeLeaves(params), grads: treeLeaves(grads) as tf.Tensor[], options, step: stepOf(extra) },
        state,
      );
      return [treeUnflatten(params, moved), next];
    },
  };
}

function stepOptions(
  rate: Schedule,
  weightDecay: number,
  mask: Mask | undefined,
  params: Tree,
  extra: UpdateExtra,
): SgdStepOptions {
  const learningRate = rate(stepOf(extra));
  if (weightDecay === 0) return { learningRate };
  return { learningRate, decays: selected(mask, params).map((keep) => (keep ? weightDecay : 0)) };
}
