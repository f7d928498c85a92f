import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Directions } from '../noise/directions.ts';

/**
 * How K directional derivatives sₖ = ∇f · vₖ become a gradient.
 *
 * `'mean'`: (1/K) Σ sₖ vₖ, unbiased. `'projection'`: the orthogonal projection of ∇f on the span of the directions,
 * V (VᵀV)⁻¹ s: the closest that they can come to ∇f, at length ≈ √(K/d) of it (arXiv 2410.17764).
 */
export type Combination = 'mean' | 'projection';

/** Checks the name of a combination. */
export function checkCombination(combine: Combination): void {
  if (combine === 'mean' || combine === 'projection') return;
  throw new FrugalError('BAD_OPTION', `combine must be 'mean' or 'projection', got '${String(combine)}'.`);
}

/** The coefficients of the directions, [K]. */
export function coefficients(
  directions: Directions,
  scalars: tf.Tensor1D,
  combine: Combination,
  normalize: boolean = false,
): tf.Tensor1D {
  const { count, blocks } = directions;
  return tf.tidy(() => {
    if (combine === 'mean') {
      const mean = tf.mul(scalars, blocks / count);
      if (!normalize) return mean as tf.Tensor1D;
      // Direction and slope both shrink by √d ÷ ‖v‖.
      const squares = tf.sum(tf.mul(directions.gram(), tf.eye(count)), 1);
      return tf.div(tf.mul(mean, directions.size), squares) as tf.Tensor1D;
    }
    const solution = solve(directions.gram(), scalars);
    return blocks === 1 ? solution : tf.mul(solution, blocks);
  });
}

/**
 * The solution of G c = s for a positive semi-definite G, by Gauss–Jordan elimination on the device.
 *
 * Directions that depend on earlier ones (pivot below 1e-5 of the diagonal) get coefficient 0.
 */
function solve(gram: tf.Tensor2D, right: tf.Tensor1D): tf.Tensor1D {
  const k = gram.shape[0];
  let rows = tf.concat([gram, tf.reshape(right, [k, 1])], 1) as tf.Tensor2D;
  for (let i = 0; i < k; i++) {
    const pivot = tf.slice(rows, [i, i], [1, 1]);
    const usable = tf.greater(pivot, tf.mul(tf.slice(gram, [i, i], [1, 1]), 1e-5));
    const inverse = tf.where(usable, tf.div(1, tf.where(usable, pivot, tf.onesLike(pivot))), tf.zerosLike(pivot));
    const row = tf.mul(tf.slice(rows, [i, 0], [1, k + 1]), inverse) as tf.Tensor2D;
    const isRow = tf.cast(tf.equal(tf.range(0, k, 1, 'int32'), tf.scalar(i, 'int32')), 'float32');
    const here = tf.reshape(isRow, [k, 1]);
    const elsewhere = tf.sub(1, here);
    const eliminated = tf.sub(rows, tf.matMul(tf.slice(rows, [0, i], [k, 1]), row));
    rows = tf.add(tf.mul(eliminated, elsewhere), tf.mul(here, row)) as tf.Tensor2D;
  }
  return tf.reshape(tf.slice(rows, [0, k], [k, 1]), [k]);
}
