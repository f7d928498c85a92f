import { foldIn, type Key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../errors.ts';
import type { ProbeOptions } from '../problem.ts';
import type { SymmetricOperator } from './operators.ts';
import { tridiagonalEigen } from './tridiagonal.ts';
import { randomVector } from './vectors.ts';
import { watched } from './watched.ts';

/** A basis in which an operator is tridiagonal. */
export interface LanczosBasis {
  readonly diagonal: number[];
  /** One less than the diagonal, plus the last one, which the next step would have. */
  readonly offDiagonal: number[];
  /** Orthonormal vectors [n]; the caller disposes them. */
  readonly basis: tf.Tensor1D[];
}

/** Told after each step; returns true to end. */
type Watch = (diagonal: readonly number[], offDiagonal: readonly number[]) => boolean;

/** `vector` less its parts along the basis, twice: without it, found eigenvalues come back as ghosts. */
function orthogonalise(vector: tf.Tensor1D, basis: readonly tf.Tensor1D[]): tf.Tensor1D {
  return tf.tidy(() => {
    const all = tf.stack(basis as tf.Tensor1D[]) as tf.Tensor2D;
    let rest: tf.Tensor = tf.reshape(vector, [vector.size, 1]);
    for (let pass = 0; pass < 2; pass++) rest = tf.sub(rest, tf.matMul(all, tf.matMul(all, rest as tf.Tensor2D), true));
    return tf.reshape(rest, [vector.size]) as tf.Tensor1D;
  });
}

/** Lanczos steps with full reorthogonalisation, from a unit vector that is taken over. */
export async function lanczos(
  operator: SymmetricOperator,
  start: tf.Tensor1D,
  steps: number,
  watch: Watch = () => false,
): Promise<LanczosBasis> {
  const basis = [start];
  const [diagonal, offDiagonal]: [number[], number[]] = [[], []];
  try {
    for (;;) {
      const last = basis.at(-1)!;
      const product = operator.apply(last);
      const rest = orthogonalise(product, basis);
      const numbers = tf.tidy(() => tf.stack([tf.dot(product, last), tf.norm(rest), tf.norm(product)]));
      product.dispose();
      try {
        const [alpha, beta, scale] = await numbers.data();
        diagonal.push(alpha!);
        offDiagonal.push(beta!);
        // A rest of rounding: the basis spans everything that the start can reach.
        const ended = !(beta! > 1e-6 * scale!) || basis.length === Math.min(steps, operator.size);
        if (watch(diagonal, offDiagonal) || ended) return { diagonal, offDiagonal, basis };
        basis.push(tf.div(rest, beta!) as tf.Tensor1D);
      } finally {
        tf.dispose([numbers, rest]);
      }
    }
  } catch (error) {
    tf.dispose(basis);
    throw error;
  }
}

/** Options of `topEigenpairs`. */
export interface EigenOptions extends ProbeOptions {
  readonly key: Key;
  /** How many. Default 1. */
  readonly count?: number;
  /** By value, or by absolute value. Default `'largest'`. */
  readonly which?: 'largest' | 'magnitude';
  /** Residual ÷ largest |eigenvalue| at which a pair counts as found. Default 1e-4. */
  readonly tolerance?: number;
  /** Products at most. Default 100. */
  readonly limit?: number;
  /** A guess at the first eigenvector [n], e.g. the last one along a run; stays the caller's. */
  readonly start?: tf.Tensor1D;
}

/** Eigenvalues with their vectors. */
export interface Eigenpairs {
  /** The first is the one asked for first. */
  readonly values: readonly number[];
  /** Unit vectors [n]; the caller disposes them. */
  readonly vectors: readonly tf.Tensor1D[];
  /** ‖A v − λ v‖ of each, as Lanczos knows it. */
  readonly residuals: readonly number[];
  readonly products: number;
  /** Whether all residuals are within the tolerance. */
  readonly converged: boolean;
}

/**
 * The top eigenpairs of a symmetric operator by Lanczos with full reorthogonalisation; residuals are part of the answer.
 *
 * Holds a vector of the operator's size for each product.
 */
export async function topEigenpairs(operator: SymmetricOperator, options: EigenOptions): Promise<Eigenpairs> {
  const { key, count = 1, which = 'largest', tolerance = 1e-4, limit = 100 } = options;
  checkNumber('count', count, { min: 1, max: operator.size, integer: true });
  checkNumber('limit', limit, { min: count, integer: true });
  let found: { at: number[]; values: number[]; vectors: number[][]; residuals: number[] } | undefined;
  const watch: Watch = (diagonal, offDiagonal) => {
    const { values, vectors } = tridiagonalEigen(diagonal, offDiagonal);
    const rank = which === 'largest' ? (i: number) => -values[i]! : (i: number) => -Math.abs(values[i]!);
    const at = values
      .map((_, i) => i)
      .sort((a, b) => rank(a) - rank(b))
      .slice(0, count);
    const residuals = at.map((i) => Math.abs(offDiagonal.at(-1)! * vectors[i]!.at(-1)!));
    found = { at, values, vectors, residuals };
    const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return (
      at.length === count && diagonal.length > count && residuals.every((residual) => residual <= tolerance * scale)
    );
  };
  const start =
    options.start === undefined
      ? randomVector(foldIn(key, 0), operator.size, 'unit')
      : tf.tidy(() => tf.div(options.start!, tf.norm(options.start!)) as tf.Tensor1D);
  const { basis } = await lanczos(watched(operator, options, 'eigenpairs', limit), start, limit, watch);
  const { at, values, vectors, residuals } = found!;
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const pairs = tf.tidy(() => {
    const all = tf.stack(basis) as tf.Tensor2D;
    return at.map((i) => {
      const v = tf.reshape(tf.matMul(tf.tensor2d(vectors[i]!, [1, basis.length]), all), [operator.size]);
      return tf.div(v, tf.norm(v)) as tf.Tensor1D;
    });
  });
  tf.dispose(basis);
  return {
    values: at.map((i) => values[i]!),
    vectors: pairs,
    residuals,
    products: basis.length,
    converged: residuals.every((residual) => residual <= tolerance * scale),
  };
}
