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
  return tf.tidy(() => {
    const [batch, units] = pass.dh.shape;
    const groups = Math.ceil(units / groupSize);
    const padding = groups * groupSize - units;
    const grouped = (x: tf.Tensor): tf.Tensor => {
      const whole =
        padding === 0
          ? x
          : tf.pad(x as tf.Tensor2D, [
              [0, 0],
              [0, padding],
            ]);
      return tf.reshape(whole, [batch, groups, groupSize]);
    };
    // s = Σ_j ḣ_j (H_j · e), summed over the classes first: t, which is larger, is never written.
    const s = tf.sum(grouped(tf.mul(pass.dh, timesTransposed(e, head))), 2, true);
    // Of absolute values, as stock wasm compares element by element in a slow loop.
    const moving = tf.mul(pass.u, tf.step(tf.abs(pass.dh)));
    const g = tf.reshape(tf.mul(grouped(moving), s), [batch, groups * groupSize]) as tf.Tensor2D;
    return padding === 0 ? g : tf.slice(g, [0, 0], [batch, units]);
  });
}

/** The exact local gradient (e Hᵀ) ⊙ slope, for a pass with u = 1, where ḣ is the slope. */
export function exactSignal(pass: StagePass, head: tf.Tensor2D, e: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(timesTransposed(e, head), pass.dh) as tf.Tensor2D);
}

/** Rows divided by their length; zero rows stay zero. */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.div(x, tf.maximum(tf.norm(x, 2, 1, true), 1e-12)) as tf.Tensor2D);
}
