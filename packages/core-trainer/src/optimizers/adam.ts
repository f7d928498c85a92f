import { adamStep, type GradientTransformation, treeLeaves, treeUnflatten } from '@frugal/tensor';
import type { Rate } from '../schedules/index.ts';
import { type ChainState, chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { type AdamState, adamNumbers, scaleByAdam } from '../transforms/moments.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';
import { withStepKernel } from './fused.ts';

/** Options of `adam`. */
export interface AdamOptions {
  /** Decay of the first moment, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of the second moment, in [0, 1). Default 0.999. */
  beta2?: number;
  /** Added outside of the root. Default 1e-8. */
  epsilon?: number;
}

/** Options of `adamw` and `nadamw`. */
export interface AdamwOptions extends AdamOptions, DecayOptions {
  /** Decoupled weight decay, times the learning rate. Default 0.01. */
  weightDecay?: number;
}

/** Adam (arXiv 1412.6980): p ← p − learningRate · m̂ / (√v̂ + ε). */
export function adam(learningRate: Rate, options: AdamOptions = {}): GradientTransformation<ChainState> {
  return adamw(learningRate, { ...options, weightDecay: 0 });
}

function composed(learningRate: Rate, options: AdamwOptions, ahead: boolean): GradientTransformation<ChainState> {
  return chain(
    scaleByAdam({ ...options, nesterov: ahead }),
    addDecayedWeights(options.weightDecay ?? 0.01, options),
    scaleByLearningRate(learningRate),
  );
}

/** AdamW (arXiv 1711.05101): p ← p − learningRate · (m̂ / (√v̂ + ε) + weightDecay · p). */
export function adamw(learningRate: Rate, options: AdamwOptions = {}): GradientTransformation<ChainState> {
  const { weightDecay = 0.01, mask } = options;
  const { beta1, beta2, epsilon } = adamNumbers(options);
  return withStepKernel(composed(learningRate, options, false), { learningRate, weightDecay, mask }, (call, state) => {
    const { m, v } = state[0] as AdamState;
    const { params, grads, options: numbers, step } = call;
    const next = adamStep(
      { params, grads, m: treeLeaves(m), v: treeLeaves(v) },
      { ...numbers, beta1, beta2, epsilon, step: step + 1 },
    );
    return [next.params, [{ m: treeUnflatten(m, next.m), v: treeUnflatten(v, next.v) }, {}, {}]];
  });
}

/** AdamW with Nesterov's look-ahead (Dozat 2016): m̂ is β₁·m/(1 − β₁^(t+1)) + (1 − β₁)·g/(1 − β₁^t). */
export function nadamw(learningRate: Rate, options: AdamwOptions = {}): GradientTransformation<ChainState> {
  return composed(learningRate, options, true);
}
