import * as tf from '@tensorflow/tfjs-core';
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
    const padded = (x: tf.Tensor2D): tf.Tensor2D =>
      padding === 0
        ? x
        : tf.pad(x, [
            [0, 0],
            [0, padding],
          ]);
    const rows =
      padding === 0
        ? head
        : (tf.pad(head, [
            [0, padding],
            [0, 0],
          ]) as tf.Tensor2D);
    const byGroup = tf.transpose(tf.reshape(padded(pass.dh), [batch, groups, groupSize]), [1, 0, 2]);
    const t = tf.matMul(byGroup, tf.reshape(rows, [groups, groupSize, -1])); // [G, B, C]
    const s = tf.transpose(tf.sum(tf.mul(t, tf.expandDims(e, 0)), 2)); // [B, G]
    const moving = tf.mul(pass.u, tf.cast(tf.notEqual(pass.dh, 0), 'float32')) as tf.Tensor2D;
    const g = tf.mul(tf.reshape(padded(moving), [batch, groups, groupSize]), tf.expandDims(s, 2));
    const flat = tf.reshape(g, [batch, groups * groupSize]) as tf.Tensor2D;
    return padding === 0 ? flat : tf.slice(flat, [0, 0], [batch, units]);
  });
}

/** The exact local gradient (e Hᵀ) ⊙ slope, for a pass with u = 1, where ḣ is the slope. */
export function exactSignal(pass: StagePass, head: tf.Tensor2D, e: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(tf.matMul(e, tf.transpose(head)), pass.dh) as tf.Tensor2D);
}

/** Rows divided by their length; zero rows stay zero. */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.div(x, tf.maximum(tf.norm(x, 2, 1, true), 1e-12)) as tf.Tensor2D);
}
