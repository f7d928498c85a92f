import { type GradientTransformation, type Tree, treeClone, treeDispose, treeZerosLike } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { applyUpdates, takeStep } from './apply.ts';
import { lerp } from './moments.ts';
import { follow, stepOf, zipLeaves } from './support.ts';

/** State of `ema`: the moving average of the updates. */
export type EmaState = { average: Tree };

/** Options of `ema`. */
export interface EmaOptions {
  /** Corrects for the start at zero. Default true. */
  debias?: boolean;
}

/** Replaces the updates by their exponential moving average: a ← decay · a + (1 − decay) · u. */
export function ema(decay: number, { debias = true }: EmaOptions = {}): GradientTransformation<EmaState> {
  checkNumber('decay', decay, { min: 0, max: 1 });
  return {
    init: (params) => ({ average: treeZerosLike(params) }),
    update: (updates, state, _params, extra) => {
      const correct = debias ? 1 / (1 - decay ** (stepOf(extra) + 1)) : 1;
      const [average, out] = zipLeaves(2, [updates, state.average], (u, old) => {
        const next = lerp(old!, u!, decay);
        return [next, tf.mul(next, correct)];
      });
      return [out, { average }];
    },
  };
}

/** State of `withAverage`: the averaged parameters and the state of the optimizer. */
export type AverageState<S extends Tree = Tree> = { average: Tree; inner: S };

/** Options of `withAverage`. */
export interface WithAverageOptions {
  /** How much of the average is kept at each step, in [0, 1]. Default 0.999. A schedule can shorten the memory at first. */
  decay?: Rate;
}

/**
 * An optimizer that also keeps an exponential moving average of the parameters, to evaluate and to ship.
 *
 * average ← decay · average + (1 − decay) · parameters after the step; it starts at the initial parameters.
 * `evaluationParams` returns it; training itself is unchanged.
 */
export function withAverage<S extends Tree>(
  inner: GradientTransformation<S>,
  { decay = 0.999 }: WithAverageOptions = {},
): GradientTransformation<AverageState<S>> {
  const at = toSchedule('decay', decay);
  const { hyperparams, accepts } = inner;

  return {
    init: (params) => ({ average: treeClone(params), inner: inner.init(params) }),
    update: (grads, state, params, extra) => {
      const [updates, next] = inner.update(grads, state.inner, params, extra);
      const moved = applyUpdates(params, updates);
      const kept = at(stepOf(extra));
      const [average] = zipLeaves(1, [state.average, moved], (a, p) => [lerp(a!, p!, kept)]);
      treeDispose(moved);
      return [updates, { average, inner: next }];
    },
    step: (grads, state, params, extra) => {
      const [moved, next] = takeStep(inner, grads, state.inner, params, extra);
      return [moved, { average: follow(state.average, moved, at(stepOf(extra))), inner: next }];
    },
    evaluationParams: (state) => treeClone(state.average) as never,
    ...(hyperparams === undefined ? {} : { hyperparams: (step) => hyperparams(step) }),
    ...(accepts === undefined ? {} : { accepts }),
  };
}
