import { type GradientTransformation, type Tree, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { rms } from './clip.ts';
import { lerp } from './moments.ts';
import { type NoState, stateless, stepOf, tidy } from './support.ts';

/** Of a factored parameter the means of the squares over each of two axes, of any other the whole second moment. */
export type FactoredMoment = { row: tf.Tensor; column: tf.Tensor } | { full: tf.Tensor };

/** State of `scaleByFactoredRms`: a tree with a `FactoredMoment` for each parameter. */
export type FactoredState = { v: Tree };

/** Options of `scaleByFactoredRms`. */
export interface FactoredRmsOptions {
  /** β₂ at update t (from 1) is 1 − t^(−power). Default 0.8. */
  power?: number;
  /** A parameter is factored where its second largest dimension has at least this size. Default 128. */
  minFactored?: number;
  /** Added to the squared gradient. Default 1e-30. */
  epsilon?: number;
}

/** The two largest axes of a shape, the largest last, or undefined where it is not worth factoring. */
function factoredAxes(shape: readonly number[], least: number): [number, number] | undefined {
  if (shape.length < 2) return undefined;
  const order = shape.map((_, axis) => axis).sort((a, b) => shape[a]! - shape[b]! || a - b);
  const [second, largest] = order.slice(-2) as [number, number];
  return shape[second]! >= least ? [second, largest] : undefined;
}

const without = (shape: readonly number[], axis: number): number[] => shape.filter((_, i) => i !== axis);

/**
 * Adafactor's direction (arXiv 1804.04235): g / √v̂, where v̂ of a matrix is the outer product of the means of its rows
 * and columns: for n × m numbers it keeps n + m.
 */
export function scaleByFactoredRms(options: FactoredRmsOptions = {}): GradientTransformation<FactoredState> {
  const { power = 0.8, minFactored = 128, epsilon = 1e-30 } = options;
  checkNumber('power', power, { min: 0 });
  checkNumber('minFactored', minFactored, { min: 1, integer: true });
  checkNumber('epsilon', epsilon, { min: 0 });

  function start(p: tf.Tensor): FactoredMoment {
    const axes = factoredAxes(p.shape, minFactored);
    if (axes === undefined) return { full: tf.zeros(p.shape) };
    const [second, largest] = axes;
    return { row: tf.zeros(without(p.shape, largest)), column: tf.zeros(without(p.shape, second)) };
  }

  /** The moments of each gradient; a factored one has two leaves in the state. */
  function read(state: Tree, gradients: readonly tf.Tensor[]): FactoredMoment[] {
    const leaves = treeLeaves(state).values();
    const take = (): tf.Tensor => leaves.next().value as tf.Tensor;
    return gradients.map((g) =>
      factoredAxes(g.shape, minFactored) === undefined ? { full: take() } : { row: take(), column: take() },
    );
  }

  function one(g: tf.Tensor, moment: FactoredMoment, beta: number): [tf.Tensor, FactoredMoment] {
    const square = tf.add(tf.square(g), epsilon);
    if ('full' in moment) {
      const full = lerp(moment.full, square, beta);
      return [tf.mul(g, tf.rsqrt(full)), { full }];
    }
    const [second, largest] = factoredAxes(g.shape, minFactored)!;
    const row = lerp(moment.row, tf.mean(square, largest), beta);
    const column = lerp(moment.column, tf.mean(square, second), beta);
    const mean = tf.mean(row, second > largest ? second - 1 : second, true);
    const byRow = tf.expandDims(tf.rsqrt(tf.div(row, mean)), largest);
    const byColumn = tf.expandDims(tf.rsqrt(column), second);
    return [tf.mul(tf.mul(g, byRow), byColumn), { row, column }];
  }

  return {
    init: (params) => ({ v: treeUnflatten(params, treeLeaves(params).map(start)) }),
    update: (grads, state, _params, extra) => {
      const beta = 1 - (stepOf(extra) + 1) ** -power;
      const gradients = treeLeaves(grads) as tf.Tensor[];
      const moments = read(state.v, gradients);
      const pairs = gradients.map((g, i) => tidy(() => one(g, moments[i]!, beta)));
      const updates = pairs.map(([update]) => update);
      const next = pairs.map(([, moment]) => moment);
      return [treeUnflatten(grads, updates), { v: treeUnflatten(grads, next) as Tree }];
    },
  };
}

/** Multiplies each update by the root mean square of its parameter, at least `least`: steps relative to the weights. */
export function scaleByParameterRms(least: number = 1e-3): GradientTransformation<NoState> {
  checkNumber('least', least, { min: 0 });
  return stateless((updates, params) => {
    const weights = treeLeaves(params);
    const leaves = (treeLeaves(updates) as tf.Tensor[]).map((u, i) =>
      tf.tidy(() => tf.mul(u, tf.maximum(rms(weights[i]!), least))),
    );
    return treeUnflatten(updates, leaves);
  });
}
