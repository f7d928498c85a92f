import { hasKernel, KernelName } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** xᵀ g. Stock wasm multiplies by a transposed matrix in a scalar loop, so x is transposed apart there. */
export function outer(x: tf.Tensor2D, g: tf.Tensor2D): tf.Tensor2D {
  if (tf.getBackend() !== 'wasm' || hasKernel(KernelName.MatMulAccumulate)) return tf.matMul(x, g, true);
  return tf.tidy(() => tf.matMul(tf.transpose(x), g));
}
