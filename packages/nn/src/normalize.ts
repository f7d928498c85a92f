import * as tf from '@tensorflow/tfjs-core';

/** Statistics that `normalize` took, with the reduced axes kept at size 1. */
export interface Normalized {
  readonly y: tf.Tensor;
  readonly mean: tf.Tensor;
  readonly variance: tf.Tensor;
}

/**
 * (x − mean) ÷ √(variance + ε) over `axes`; call it inside a tidy, which then owns all three results.
 *
 * One gradient for the whole, dx = r (dy − mean(dy) − y · mean(dy · y)) with r = 1/√(variance + ε): stock autodiff would
 * walk twice as often over x. No gradient flows into the returned statistics.
 */
export function normalize(x: tf.Tensor, axes: number[], epsilon: number): Normalized {
  const kept: tf.Tensor[] = [];
  const run = tf.customGrad((input, save) => {
    const a = input as tf.Tensor;
    const mean = tf.mean(a, axes, true);
    const centred = tf.sub(a, mean);
    const variance = tf.mean(tf.square(centred), axes, true);
    const r = tf.rsqrt(tf.add(variance, epsilon));
    const y = tf.mul(centred, r);
    // What is made in here dies with it, unless kept; the caller's tidy gets copies of these two.
    kept.push(tf.keep(mean), tf.keep(variance));
    (save as tf.GradSaveFunc)([y, r]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [out, scale] = saved as [tf.Tensor, tf.Tensor];
      const along = tf.mul(out, tf.mean(tf.mul(dy, out), axes, true));
      return tf.mul(tf.sub(tf.sub(dy, tf.mean(dy, axes, true)), along), scale);
    };
    return { value: y, gradFunc };
  });
  const y = run(x);
  const [mean, variance] = kept.map((statistic) => statistic.clone()) as [tf.Tensor, tf.Tensor];
  for (const statistic of kept) statistic.dispose();
  return { y, mean, variance };
}

/** x ÷ √(mean(x²) + ε) over the last axis, with one gradient for the whole. */
export function normalizeRms(x: tf.Tensor, epsilon: number): tf.Tensor {
  const run = tf.customGrad((input, save) => {
    const a = input as tf.Tensor;
    const r = tf.rsqrt(tf.add(tf.mean(tf.square(a), -1, true), epsilon));
    const y = tf.mul(a, r);
    (save as tf.GradSaveFunc)([y, r]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor => {
      const [out, scale] = saved as [tf.Tensor, tf.Tensor];
      return tf.mul(tf.sub(dy, tf.mul(out, tf.mean(tf.mul(dy, out), -1, true))), scale);
    };
    return { value: y, gradFunc };
  });
  return run(x);
}
