import { hasKernel, KernelName } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Stock wasm multiplies by a transposed matrix in a scalar loop, so matrices are transposed apart there. */
const apart = (): boolean => tf.getBackend() === 'wasm' && !hasKernel(KernelName.MatMulAccumulate);

/** xᵀ g. */
export function outer(x: tf.Tensor2D, g: tf.Tensor2D): tf.Tensor2D {
  if (!apart()) return tf.matMul(x, g, true);
  return tf.tidy(() => tf.matMul(tf.transpose(x), g));
}

/** x gᵀ. */
export function timesTransposed(x: tf.Tensor2D, g: tf.Tensor2D): tf.Tensor2D {
  if (!apart()) return tf.matMul(x, g, false, true);
  return tf.tidy(() => tf.matMul(x, tf.transpose(g)));
}
