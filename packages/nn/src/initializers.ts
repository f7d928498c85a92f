import { FrugalError, fillUniform, type Key, randomNormal, randomUniform } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { normalQuantile } from './normal-quantile.ts';

/** How many inputs each output has, and how many outputs each input. */
export interface Fans {
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Makes a weight from a key; equal keys give equal weights. */
export type Initializer = (key: Key, shape: readonly number[], fans: Fans) => tf.Tensor;

/** Options of `varianceScaling`. */
export interface VarianceScalingOptions {
  /** Default 1. */
  scale?: number;
  /** What the variance is divided by. Default `'fanIn'`. */
  mode?: 'fanIn' | 'fanOut' | 'fanAvg';
  /** Default `'normal'`. */
  distribution?: 'normal' | 'uniform';
}

/** Weights of mean 0 and variance scale ÷ fan: the family that He, Glorot and LeCun belong to. */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  const { scale = 1, mode = 'fanIn', distribution = 'normal' } = options;
  if (!(scale > 0)) throw new FrugalError('BAD_OPTION', `varianceScaling: scale must be positive, got ${scale}.`);
  return (key, shape, { fanIn, fanOut }) => {
    const fan = mode === 'fanIn' ? fanIn : mode === 'fanOut' ? fanOut : (fanIn + fanOut) / 2;
    const sd = Math.sqrt(scale / Math.max(1, fan));
    if (distribution === 'normal') return randomNormal(key, shape, { sd });
    const max = sd * Math.sqrt(3);
    return randomUniform(key, shape, { min: -max, max });
  };
}

/** N(0, 2 ÷ fanIn), for layers before a ReLU (arXiv 1502.01852). */
export function heNormal(): Initializer {
  return varianceScaling({ scale: 2 });
}

/** Uniform of variance 2 ÷ fanIn (arXiv 1502.01852). */
export function heUniform(): Initializer {
  return varianceScaling({ scale: 2, distribution: 'uniform' });
}

/** N(0, 2 ÷ (fanIn + fanOut)), also called Xavier. */
export function glorotNormal(): Initializer {
  return varianceScaling({ mode: 'fanAvg' });
}

/** Uniform of variance 2 ÷ (fanIn + fanOut), also called Xavier. */
export function glorotUniform(): Initializer {
  return varianceScaling({ mode: 'fanAvg', distribution: 'uniform' });
}

/** N(0, 1 ÷ fanIn), for layers before SELU, tanh or the loss. */
export function lecunNormal(): Initializer {
  return varianceScaling();
}

/** Uniform of variance 1 ÷ fanIn. */
export function lecunUniform(): Initializer {
  return varianceScaling({ distribution: 'uniform' });
}

/** N(mean, sd²), whatever the fans. Default sd 0.02, as GPT-2 has it. */
export function normal(options: { mean?: number; sd?: number } = {}): Initializer {
  const { mean = 0, sd = 0.02 } = options;
  return (key, shape) => randomNormal(key, shape, { mean, sd });
}

/**
 * N(mean, sd²) cut off at two sd to either side, whatever the fans; what is left has 0.88 times that sd. Default 0.02.
 *
 * Made on the host by the inverse of the distribution function, so the same on every backend.
 */
export function truncatedNormal(options: { mean?: number; sd?: number } = {}): Initializer {
  const { mean = 0, sd = 0.02 } = options;
  // The share of a normal distribution within two sd.
  const inside = 0.9544997361036416;
  return (key, shape) => {
    const values = new Float32Array(tf.util.sizeFromShape([...shape]));
    fillUniform(key, values);
    for (const [i, u] of values.entries()) {
      // Half a step keeps the uniform numbers, multiples of 2⁻²⁴, off the ends.
      values[i] = mean + sd * normalQuantile(0.5 + inside * (u + 2 ** -25 - 0.5));
    }
    return tf.tensor(values, [...shape]);
  };
}

/** Uniform in [min, max). Default ±0.05. */
export function uniform(options: { min?: number; max?: number } = {}): Initializer {
  const { min = -0.05, max = 0.05 } = options;
  return (key, shape) => randomUniform(key, shape, { min, max });
}

/** Zeros. */
export function zeros(): Initializer {
  return (_, shape) => tf.zeros([...shape]);
}

/** Ones. */
export function ones(): Initializer {
  return (_, shape) => tf.ones([...shape]);
}

/** One value everywhere. */
export function constant(value: number): Initializer {
  return (_, shape) => tf.fill([...shape], value);
}

/**
 * A matrix with orthonormal columns (rows, if it is wider than tall) times `gain`, uniform over all such (arXiv 1312.6120).
 *
 * All axes but the last are taken together. The matrix is the polar factor of a Gaussian one, found by Newton–Schulz
 * iterations, which are products of matrices only and so run on every backend.
 */
export function orthogonal(options: { gain?: number } = {}): Initializer {
  const { gain = 1 } = options;
  return (key, shape) =>
    tf.tidy(() => {
      const columns = shape[shape.length - 1] ?? 1;
      const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
      const tall = rows >= columns;
      const [m, n] = tall ? [rows, columns] : [columns, rows];
      const g = randomNormal(key, [m, n]) as tf.Tensor2D;
      const q = polar(g);
      return tf.reshape(tf.mul(tall ? q : tf.transpose(q), gain), [...shape]);
    });
}

/** The orthogonal factor of a tall matrix. */
function polar(g: tf.Tensor2D): tf.Tensor2D {
  const [m, n] = g.shape;
  // Above the largest singular value of a Gaussian matrix but with vanishing probability; the iteration allows 1.2 times more.
  let x = tf.div(g, 1.1 * (Math.sqrt(m) + Math.sqrt(n))) as tf.Tensor2D;
  const iterate = (a: number, b: number, c: number): void => {
    const gram = tf.matMul(x, x, true, false);
    const bend = c === 0 ? tf.mul(gram, b) : tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c));
    x = tf.add(tf.mul(x, a), tf.matMul(x, bend as tf.Tensor2D)) as tf.Tensor2D;
  };
  // The quintic lifts the smallest singular values 3.4 times a turn (about 1/n at worst, when square), the cubic then finishes.
  const lifts = Math.ceil(Math.log(20 * n) / Math.log(3.4445));
  for (let i = 0; i < lifts; i++) iterate(3.4445, -4.775, 2.0315);
  for (let i = 0; i < 8; i++) iterate(1.5, -0.5, 0);
  return x;
}
