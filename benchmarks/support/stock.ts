import * as tf from '@tensorflow/tfjs-core';

/**
 * A second wasm backend beside ours, as npm installs it: its own heap, tfjs's own kernels. Call before `trainable()`.
 *
 * Stock kernels look their functions up when their backend becomes the current one, so switch with `tf.setBackend`.
 *
 * @returns The name to switch to.
 */
export async function addStockBackend(): Promise<'stock'> {
  await import('@tensorflow/tfjs-backend-wasm');
  tf.registerBackend('stock', tf.findBackendFactory('wasm') as () => tf.KernelBackend);
  tf.copyRegisteredKernels('wasm', 'stock');
  return 'stock';
}
