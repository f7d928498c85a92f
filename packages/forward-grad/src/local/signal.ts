import { groupGradient } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { timesTransposed } from '../noise/outer.ts';
import type { StagePass } from './stage-pass.ts';

/** A linear read-out of a hidden layer. */
export type Head = { weight: tf.Tensor2D; bias: tf.Tensor1D };

/**
 * LG-FG-A: ∂loss/∂z per example from the tangents of the local outputs, one number per group of units.
 *
 *     t[n, g] = Σ over units j of g  ḣ[n, j] H[j],   s[n, g] = t[n, g] · e[n],   g[n, j] = s[n, g(j)] u[n, j]
 *
 * With signs u² = 1, so that a group of one unit gives the exact partial derivative. Units whose activation is flat get 0.
 */
export function greedySignal(pass: StagePass, head: tf.Tensor2D, e: tf.Tensor2D, groupSize: number): tf.Tensor2D {
  // Summed over the classes first: t, which is larger, is never written.
  return tf.tidy(() => groupGradient({ u: pass.u, du: pass.dh, slope: timesTransposed(e, head) }, groupSize));
}

/** The exact local gradient (e Hᵀ) ⊙ slope, for a pass with u = 1, where ḣ is the slope. */
export function exactSignal(pass: StagePass, head: tf.Tensor2D, e: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(timesTransposed(e, head), pass.dh) as tf.Tensor2D);
}

/** Rows divided by their length; zero rows stay zero. */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.div(x, tf.maximum(tf.norm(x, 2, 1, true), 1e-12)) as tf.Tensor2D);
}
