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

/** Runs a kernel of ours on the current backend, through the engine. */
export function runKernel<T extends tf.Tensor | tf.Tensor[]>(
  name: string,
  inputs: Record<string, tf.Tensor> | tf.Tensor[],
  attrs: object = {},
): T {
  return tf.engine().runKernel(name, inputs as tf.NamedTensorMap, attrs as unknown as tf.NamedAttrMap) as T;
}

/** Numbers in [-1, 1) that depend on the seed alone. */
export function numbers(size: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** The first place where two arrays differ in their bits, -1 where they are the same: far faster than `toEqual`. */
export function firstDifference(a: Float32Array | Int32Array, b: Float32Array | Int32Array): number {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  const [x, y] = [a, b].map((z) => new Int32Array(z.buffer, z.byteOffset, z.length)) as [Int32Array, Int32Array];
  return x.findIndex((word, i) => word !== y[i]);
}
