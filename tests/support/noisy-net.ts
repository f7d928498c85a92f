import { type Context, fillNormal, fillUniform, foldIn, type Key, key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Parameters of `noisyNet`. */
export type NoisyParams = { layer: { w: tf.Tensor; b: tf.Tensor }; head: { w: tf.Tensor } };

/** Batches of `noisyNet`: x `[B, 4]`, y `[B]`. */
export type NoisyBatch = { x: tf.Tensor; y: tf.Tensor };

function normal(k: Key, shape: number[]): tf.Tensor {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  fillNormal(k, values);
  return tf.tensor(values, shape);
}

/**
 * A tiny regression with everything that makes a run hard to reproduce: dropout from the key, a running mean in the
 * state that the loss depends on, parameters from the key.
 */
export const noisyNet = {
  init: (k: Key): NoisyParams => ({
    layer: { w: normal(foldIn(k, 0), [4, 8]), b: tf.zeros([8]) },
    head: { w: normal(foldIn(k, 1), [8, 1]) },
  }),
  loss({ layer, head }: NoisyParams, { x, y }: NoisyBatch, { train, key: k, state }: Context): tf.Tensor1D {
    let h = tf.tanh(tf.add(tf.matMul(x as tf.Tensor2D, layer.w as tf.Tensor2D), layer.b));
    if (train) {
      const uniforms = new Float32Array(h.size);
      fillUniform(k!, uniforms);
      const mask = tf.tensor(
        uniforms.map((u) => (u < 0.2 ? 0 : 1.25)),
        h.shape,
      );
      h = tf.mul(h, mask);
    }
    const mean = state?.get('layer.mean') ?? tf.zeros([8]);
    if (train) state?.set('layer.mean', tf.add(tf.mul(mean, 0.9), tf.mul(tf.mean(h, 0), 0.1)));
    const out = tf.reshape(tf.matMul(tf.sub(h, tf.mul(mean, 0.5)) as tf.Tensor2D, head.w as tf.Tensor2D), [-1]);
    return tf.square(tf.sub(out, y)) as tf.Tensor1D;
  },
};

/** Examples for `noisyNet`: x as rows, y a nonlinear function of them. */
export function noisyExamples(count: number): { x: { values: Float32Array; shape: number[] }; y: number[] } {
  const values = new Float32Array(4 * count);
  fillNormal(key(99), values);
  const y = Array.from({ length: count }, (_, i) => Math.sin(values[4 * i]!) + 0.5 * values[4 * i + 1]!);
  return { x: { values, shape: [4] }, y };
}
