import { type GradientTransformation, type Tree, treeZerosLike } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { stepOf, zipLeaves } from './support.ts';

/** beta · old + (1 − beta) · value. */
export function lerp(old: tf.Tensor, value: tf.Tensor, beta: number): tf.Tensor {
  return tf.add(tf.mul(old, beta), tf.mul(value, 1 - beta));
}

const checkBeta = (name: string, beta: number): number => {
  checkNumber(name, beta, { min: 0 });
  return checkNumber(name, beta, { max: 1, exclusive: true });
};

/** State of `trace`. */
export type TraceState = { m: Tree };

/** Options of `trace`. */
export interface TraceOptions {
  /** How much of the trace is kept, in [0, 1). Default 0.9. */
  beta?: number;
  /** Looks ahead: g + beta · m instead of m. Default false. */
  nesterov?: boolean;
}

/** Momentum: m ← beta · m + g; the update is m, or g + beta · m with `nesterov`. */
export function trace({ beta = 0.9, nesterov = false }: TraceOptions = {}): GradientTransformation<TraceState> {
  checkBeta('beta', beta);
  return {
    init: (params) => ({ m: treeZerosLike(params) }),
    update: (grads, state) => {
      const [m, u] = zipLeaves(2, [grads, state.m], (g, old) => {
        const next = tf.add(tf.mul(old!, beta), g!);
        return [next, nesterov ? tf.add(tf.mul(next, beta), g!) : next.clone()];
      });
      return [u, { m }];
    },
  };
}

/** State of `scaleByAdam`: both moments. */
export type AdamState = { m: Tree; v: Tree };

/** Options of `scaleByAdam`. */
export interface ScaleByAdamOptions {
  /** Decay of the first moment, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of the second moment, in [0, 1). Default 0.999. */
  beta2?: number;
  /** Added outside of the root. Default 1e-8. */
  epsilon?: number;
  /** Nesterov's look-ahead, as in NAdam. Default false. */
  nesterov?: boolean;
}

/** The numbers of `ScaleByAdamOptions`, checked and with defaults. */
export function adamNumbers(options: ScaleByAdamOptions): Required<ScaleByAdamOptions> {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, nesterov = false } = options;
  checkBeta('beta1', beta1);
  checkBeta('beta2', beta2);
  checkNumber('epsilon', epsilon, { min: 0 });
  return { beta1, beta2, epsilon, nesterov };
}

/**
 * Adam's direction (arXiv 1412.6980): m̂ / (√v̂ + ε), where m and v are moving averages of g and g², corrected for
 * their start at zero by extra.step.
 *
 * With `nesterov`, m̂ is β₁·m/(1 − β₁^(t+1)) + (1 − β₁)·g/(1 − β₁^t).
 */
export function scaleByAdam(options: ScaleByAdamOptions = {}): GradientTransformation<AdamState> {
  const { beta1, beta2, epsilon, nesterov } = adamNumbers(options);
  return {
    init: (params) => ({ m: treeZerosLike(params), v: treeZerosLike(params) }),
    update: (grads, state, _params, extra) => {
      const t = stepOf(extra) + 1;
      const correct1 = 1 / (1 - beta1 ** t);
      const correct2 = 1 / (1 - beta2 ** t);
      const ahead = beta1 / (1 - beta1 ** (t + 1));
      const [m, v, u] = zipLeaves(3, [grads, state.m, state.v], (g, oldM, oldV) => {
        const nextM = lerp(oldM!, g!, beta1);
        const nextV = lerp(oldV!, tf.square(g!), beta2);
        const mHat = nesterov
          ? tf.add(tf.mul(nextM, ahead), tf.mul(g!, (1 - beta1) * correct1))
          : tf.mul(nextM, correct1);
        return [nextM, nextV, tf.div(mHat, tf.add(tf.sqrt(tf.mul(nextV, correct2)), epsilon))];
      });
      return [u, { m, v }];
    },
  };
}

/** State of `scaleByRms`. */
export type RmsState = { v: Tree };

/** Options of `scaleByRms`. */
export interface ScaleByRmsOptions {
  /** Decay of the second moment, in [0, 1). Default 0.999. */
  beta2?: number;
  /** Added outside of the root. Default 1e-8. */
  epsilon?: number;
}

/** Adam without its first moment: g / (√v̂ + ε) with the bias of v corrected. */
export function scaleByRms({
  beta2 = 0.999,
  epsilon = 1e-8,
}: ScaleByRmsOptions = {}): GradientTransformation<RmsState> {
  checkBeta('beta2', beta2);
  checkNumber('epsilon', epsilon, { min: 0 });
  return {
    init: (params) => ({ v: treeZerosLike(params) }),
    update: (grads, state, _params, extra) => {
      const correct = 1 / (1 - beta2 ** (stepOf(extra) + 1));
      const [v, u] = zipLeaves(2, [grads, state.v], (g, old) => {
        const next = lerp(old!, tf.square(g!), beta2);
        return [next, tf.div(g!, tf.add(tf.sqrt(tf.mul(next, correct)), epsilon))];
      });
      return [u, { v }];
    },
  };
}

/** Options of `scaleByLion`. */
export interface ScaleByLionOptions {
  /** Weight of the momentum in the direction, in [0, 1). Default 0.9. */
  beta1?: number;
  /** Decay of the momentum, in [0, 1). Default 0.99. */
  beta2?: number;
}

/** Lion's direction (arXiv 2302.06675): sign(β₁·m + (1 − β₁)·g), then m ← β₂·m + (1 − β₂)·g. */
export function scaleByLion({
  beta1 = 0.9,
  beta2 = 0.99,
}: ScaleByLionOptions = {}): GradientTransformation<TraceState> {
  checkBeta('beta1', beta1);
  checkBeta('beta2', beta2);
  return {
    init: (params) => ({ m: treeZerosLike(params) }),
    update: (grads, state) => {
      const [m, u] = zipLeaves(2, [grads, state.m], (g, old) => [
        lerp(old!, g!, beta2),
        tf.sign(lerp(old!, g!, beta1)),
      ]);
      return [u, { m }];
    },
  };
}
