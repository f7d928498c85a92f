import { type GradientTransformation, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type NoState, stateless } from './support.ts';

/** Coefficients of the quintic with the largest slope at zero (Keller Jordan, Muon, 2024). */
const QUINTIC = [3.4445, -4.775, 2.0315] as const;

/**
 * U·Vᵀ of a matrix U·S·Vᵀ, roughly: the singular values of the result lie in about [0.7, 1.2].
 *
 * Newton–Schulz: X ← aX + (bA + cA²)X with A = XXᵀ, started at x / ‖x‖.
 *
 * @param x - [rows, columns]; the caller keeps it.
 * @param steps - Iterations. Default 5.
 * @returns A new tensor of the same shape.
 */
export function orthogonalize(x: tf.Tensor2D, steps: number = 5, epsilon: number = 1e-8): tf.Tensor2D {
  checkNumber('steps', steps, { min: 0, integer: true });
  const [a, b, c] = QUINTIC;
  return tf.tidy(() => {
    const tall = x.shape[0] > x.shape[1];
    let y = tf.div(x, tf.add(tf.norm(x), epsilon)) as tf.Tensor2D;
    // Transposed by itself: stock wasm's matMul is many times slower with a transpose flag.
    if (tall) y = tf.transpose(y);
    for (let i = 0; i < steps; i++) {
      const gram = tf.matMul(y, tf.transpose(y));
      const polynomial = tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c)) as tf.Tensor2D;
      y = tf.add(tf.mul(y, a), tf.matMul(polynomial, y)) as tf.Tensor2D;
    }
    return tall ? tf.transpose(y) : y;
  });
}

/** Options of `scaleByOrthogonalization`. */
export interface OrthogonalizationOptions {
  /** Newton–Schulz iterations. Default 5. */
  steps?: number;
  /**
   * How long the update of an [in, out] matrix is: `'width'` is √max(1, out / in) (Jordan), a number ρ is
   * ρ · √max(in, out), a root mean square of about ρ (arXiv 2502.16982, there 0.2). Default `'width'`.
   */
  size?: 'width' | number;
}

/**
 * Replaces each update by the nearest matrix with equal singular values, as Muon does.
 *
 * A kernel of rank above 2, such as [height, width, in, out], counts as the matrix [height·width·in, out].
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` for a scalar or a vector: give those to another optimizer with `partition`.
 */
export function scaleByOrthogonalization(options: OrthogonalizationOptions = {}): GradientTransformation<NoState> {
  const { steps = 5, size = 'width' } = options;
  if (size !== 'width') checkNumber('size', size, { min: 0 });
  return stateless((updates) => {
    const leaves = treeLeaves(updates) as tf.Tensor[];
    for (const leaf of leaves) checkNumber('the rank of a parameter that is orthogonalised', leaf.rank, { min: 2 });
    const moved = leaves.map((u) =>
      tf.tidy(() => {
        const outputs = u.shape.at(-1)!;
        const inputs = u.size / outputs;
        const length =
          size === 'width' ? Math.sqrt(Math.max(1, outputs / inputs)) : size * Math.sqrt(Math.max(inputs, outputs));
        return tf.reshape(tf.mul(orthogonalize(tf.reshape(u, [inputs, outputs]), steps), length), u.shape);
      }),
    );
    return treeUnflatten(updates, moved);
  });
}
