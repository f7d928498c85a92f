// Shared by the tests of this package; not part of it.
import * as tf from '@tensorflow/tfjs-core';
import type { TrainableOptions } from './trainable.ts';

/** The binaries and thread counts that every kernel is held against the cpu backend with. */
export const variants: readonly Required<TrainableOptions>[] = [
  { relaxed: false, threads: 1 },
  { relaxed: true, threads: 2 },
];

/** Cases per property: few in everyday tests, FRUGAL_DEEP=1 for many. */
export function runs(few: number): number {
  return process.env['FRUGAL_DEEP'] === '1' ? few * 20 : few;
}

/** The values of what `f` makes on a backend; frees everything. */
export async function onBackend(backend: string, f: () => tf.Tensor): Promise<Float32Array> {
  const before = tf.getBackend();
  await tf.setBackend(backend);
  const y = tf.tidy(f);
  const values = (await y.data()) as Float32Array;
  y.dispose();
  await tf.setBackend(before);
  return values;
}
