import * as tf from '@tensorflow/tfjs-core';
import { normalize } from './normalize.ts';

export function gelu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const cube = tf.mul(tf.mul(x, x), x);
    const inner = tf.mul(tf.add(x, tf.mul(cube, 0.044715)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  });
}
export function layerNorm(
  x: tf.Tensor,
  scale: tf.Tensor,
  offset: tf.Tensor,
  { epsilon }: { epsilon: number },
): tf.Tensor {
  return tf.tidy(() => tf.add(tf.mul(normalize(x, [x.rank - 1], epsilon).y, scale), offset));
}
