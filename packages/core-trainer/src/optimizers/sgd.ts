import {
  type GradientTransformation,
  isStructured,
  momentumStep,
  type StructuredLeaf,
  sgdStep,
  type Tree,
  treeLeaves,
  treeUnflatten,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Rate } from '../schedules/index.ts';
import { type ChainState, chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { type TraceState, trace } from '../transforms/moments.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';
import { release } from '../transforms/support.ts';
import { type StepCall, withStepKernel } from './fused.ts';

/** Options of `sgd`. */
export interface SgdOptions extends DecayOptions {
  /** Adds weightDecay · p to the gradient (L2). Default 0. */
  weightDecay?: number;
}

/** p + factor · leaf; `p` is donated. */
function addStructured(p: tf.Tensor, leaf: StructuredLeaf, factor: number): tf.Tensor {
  if (leaf.addTo !== undefined) return leaf.addTo(p, factor);
  const moved = tf.tidy(() => tf.add(p, tf.mul(leaf.materialize(), factor)));
  release([p]);
  return moved;
}

/** The dense leaves by the kernel, a structured one added where it stands. */
function sgdLeaves({ params, grads, options }: StepCall): tf.Tensor[] {
  const leaves = grads as (tf.Tensor | StructuredLeaf)[];
  const dense = leaves.map((leaf) => !isStructured(leaf));
  // With decays all leaves are dense, for the chain does not accept structured ones then.
  const tensors = { params: params.filter((_, i) => dense[i]), grads: grads.filter((_, i) => dense[i]) };
  const moved = sgdStep(tensors, options).params.values();
  return params.map((p, i) =>
    dense[i] ? moved.next().value! : addStructured(p, leaves[i] as StructuredLeaf, -options.learningRate),
  );
}

/** Gradient descent: p ← p − learningRate · (g + weightDecay · p). Rank-one and regenerated gradients stay so. */
export function sgd(learningRate: Rate, options: SgdOptions = {}): GradientTransformation<ChainState> {
  const { weightDecay = 0, mask } = options;
  const composed = chain(addDecayedWeights(weightDecay, options), scaleByLearningRate(learningRate));
  return withStepKernel(composed, { learningRate, weightDecay, mask }, (call, state) => [sgdLeaves(call), state]);
}

/** Options of `momentum` and `nesterov`. */
export interface MomentumOptions extends SgdOptions {
  /** How much of the velocity is kept, in [0, 1). Default 0.9. */
  beta?: number;
}

function withTrace(learningRate: Rate, options: MomentumOptions, ahead: boolean): GradientTransformation<ChainState> {
  const { beta = 0.9, weightDecay = 0, mask } = options;
  const composed = chain(
    addDecayedWeights(weightDecay, options),
    trace({ beta, nesterov: ahead }),
    scaleByLearningRate(learningRate),
  );
  return withStepKernel(composed, { learningRate, weightDecay, mask }, ({ params, grads, options: numbers }, state) => {
    const { m } = state[1] as TraceState;
    const next = momentumStep({ params, grads, m: treeLeaves(m) }, { ...numbers, beta, nesterov: ahead });
    return [next.params, [{}, { m: treeUnflatten(m, next.m) as Tree }, {}]];
  });
}

/** The heavy ball: d = g + weightDecay · p; m ← beta · m + d; p ← p − learningRate · m. */
export function momentum(learningRate: Rate, options: MomentumOptions = {}): GradientTransformation<ChainState> {
  return withTrace(learningRate, options, false);
}

/** Nesterov's momentum: d = g + weightDecay · p; m ← beta · m + d; p ← p − learningRate · (d + beta · m). */
export function nesterov(learningRate: Rate, options: MomentumOptions = {}): GradientTransformation<ChainState> {
  return withTrace(learningRate, options, true);
}
