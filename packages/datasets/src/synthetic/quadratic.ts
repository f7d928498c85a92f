import { type Dataset, type Key, type LossFunction, split } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { rowDataset } from '../epoch.ts';
import { checkCount, DataArgumentError } from '../errors.ts';
import { normals } from '../host-random.ts';
import { gatherRows, normalizations } from '../normalization.ts';

/** The parameters of a quadratic: one vector. */
export type QuadraticParams = { readonly w: tf.Tensor };

/** A batch of a quadratic: the linear terms of its examples, `[B, n]`. */
export type QuadraticBatch = { readonly slopes: tf.Tensor };

/** Which quadratic. */
export interface QuadraticOptions {
  /** The eigenvalues of the Hessian, any signs, in any order; their number is the dimension. */
  readonly eigenvalues: readonly number[];
  /** Standard deviation of each coordinate of an example's gradient around the mean one. Default: 0. */
  readonly noise?: number;
  /** Examples. Default: 1 without noise, 1,024 with. */
  readonly size?: number;
  readonly key: Key;
}

/** A loss of which everything is known. */
export interface Quadratic {
  readonly dimension: number;
  /** H = Q Λ Qᵀ, `[n, n]` row-major. */
  readonly hessian: Float32Array;
  /** Descending. */
  readonly eigenvalues: readonly number[];
  /** Row i is the eigenvector of `eigenvalues[i]`, `[n, n]`. */
  readonly eigenvectors: Float32Array;
  /** Where the mean gradient is zero. */
  readonly minimum: Float32Array;
  /** tr Σ of the gradients of single examples, exact for this set: the gradient noise scale is it ÷ |gradient|². */
  readonly noiseTrace: number;
  /** Per example b: ½ (w − w*)ᵀ H (w − w*) + slope_b · w, `[B]`; the slopes have mean zero over the set. */
  readonly loss: LossFunction<QuadraticParams, QuadraticBatch>;
  /** Fresh parameters: standard normal, the same ones each time. The caller owns them. */
  init(): QuadraticParams;
  /** The examples in batches. */
  dataset(options: { readonly batchSize: number; readonly shuffle?: boolean }): Dataset<QuadraticBatch>;
}

/** A random orthogonal matrix by rows (Gram–Schmidt, twice for orthogonality to rounding), Haar distributed. */
function orthogonal(key: Key, n: number): Float64Array {
  const q = Float64Array.from(normals(key, n * n));
  for (let i = 0; i < n; i++) {
    const row = q.subarray(i * n, (i + 1) * n);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = q.subarray(j * n, (j + 1) * n);
        const along = row.reduce((sum, value, k) => sum + value * other[k]!, 0);
        for (let k = 0; k < n; k++) row[k]! -= along * other[k]!;
      }
      const length = Math.hypot(...row);
      for (let k = 0; k < n; k++) row[k]! /= length;
    }
  }
  return q;
}

/** `size` normal rows that sum to zero, and the trace of their covariance. */
function centredNoise(key: Key, size: number, n: number, noise: number): { slopes: Float32Array; trace: number } {
  const slopes = normals(key, size * n).map((value) => value * noise);
  let trace = 0;
  for (let k = 0; k < n; k++) {
    let mean = 0;
    for (let i = 0; i < size; i++) mean += slopes[i * n + k]! / size;
    for (let i = 0; i < size; i++) {
      slopes[i * n + k]! -= mean;
      trace += slopes[i * n + k]! ** 2 / size;
    }
  }
  return { slopes, trace };
}

/**
 * A quadratic loss with a known Hessian, minimum and gradient noise, in a random basis.
 *
 * What learning-rate theory says is exact here: gradient descent diverges above 2 / λ₁, momentum above 2 (1 + β) / λ₁.
 *
 * @throws {DataArgumentError} If there are no eigenvalues or one is not finite.
 */
export function quadratic(options: QuadraticOptions): Quadratic {
  const { noise = 0, size = noise === 0 ? 1 : 1024, key } = options;
  const n = options.eigenvalues.length;
  checkCount('the number of eigenvalues', n);
  checkCount('size', size);
  if (!options.eigenvalues.every(Number.isFinite)) {
    throw new DataArgumentError(`eigenvalues are [${options.eigenvalues}]. Pass finite numbers.`);
  }
  const eigenvalues = options.eigenvalues.toSorted((a, b) => b - a);
  const [basisKey, minimumKey, startKey, noiseKey] = split(key, 4) as [Key, Key, Key, Key];
  const q = orthogonal(basisKey, n);
  const hessian = new Float32Array(n * n);
  for (let a = 0; a < n; a++) {
    for (let b = 0; b < n; b++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += eigenvalues[i]! * q[i * n + a]! * q[i * n + b]!;
      hessian[a * n + b] = sum;
    }
  }
  const minimum = normals(minimumKey, n);
  const { slopes, trace } = centredNoise(noiseKey, size, n, noise);
  return {
    dimension: n,
    hessian,
    eigenvalues,
    eigenvectors: Float32Array.from(q),
    minimum,
    noiseTrace: trace,
    loss: ({ w }, batch) =>
      tf.tidy(() => {
        const column = tf.reshape(w, [n, 1]);
        const away = tf.sub(column, tf.tensor2d(minimum, [n, 1]));
        const bowl = tf.mul(0.5, tf.sum(tf.mul(away, tf.matMul(tf.tensor2d(hessian, [n, n]), away))));
        const [examples] = batch.slopes.shape as [number, number];
        return tf.add(bowl, tf.reshape(tf.matMul(batch.slopes as tf.Tensor2D, column), [examples])) as tf.Tensor1D;
      }),
    init: () => ({ w: tf.tensor1d(normals(startKey, n)) }),
    dataset: (batches) =>
      rowDataset(size, batches, (rows) => ({
        slopes: tf.tensor2d(gatherRows(slopes, rows, n, normalizations.none), [rows.length, n]),
      })),
  };
}
