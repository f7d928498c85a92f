import * as tf from '@tensorflow/tfjs-core';

/** activation(x · weight + bias) of rows: one kernel, and where a gradient is recorded the plain operations, whose backward pass is cheaper. */
export function affine(x: tf.Tensor, weight: tf.Tensor2D, bias: tf.Tensor1D, activation?: 'relu'): tf.Tensor2D {
  const a = x as tf.Tensor2D;
  if (!tf.engine().isTapeOn())
    return tf.fused.matMul({ a, b: weight, bias, ...(activation && { activation }) }) as tf.Tensor2D;
  return tf.tidy(() => {
    const y = tf.add(tf.matMul(a, weight), bias);
    return (activation === 'relu' ? tf.relu(y) : y) as tf.Tensor2D;
  });
}
