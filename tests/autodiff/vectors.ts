import type * as tf from '@tensorflow/tfjs-core';

/** The numbers of tensors, one after the other. */
export async function read(tensors: readonly tf.Tensor[]): Promise<number[]> {
  return (await Promise.all(tensors.map(async (t) => [...((await t.data()) as Float32Array)]))).flat();
}

/** ‖x − y‖ ÷ ‖y‖ */
export function relativeError(x: readonly number[], y: readonly number[]): number {
  return Math.hypot(...x.map((a, i) => a - y[i]!)) / Math.hypot(...y);
}
