import * as tf from '@tensorflow/tfjs-core';

/**
 * Whether tfjs's current backend compiles a program for every new shape (webgl), so that work whose size changes with the
 * data is cheaper when it is padded to a few sizes.
 */
export function prefersStaticShapes(): boolean {
  return tf.getBackend() === 'webgl';
}

/** The smallest power of two that is at least `size`: the few sizes that are padded to. 0 stays 0. */
export function paddedSize(size: number): number {
  return size === 0 ? 0 : 2 ** Math.ceil(Math.log2(size));
}
