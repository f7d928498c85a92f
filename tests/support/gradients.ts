import { type Tree, treeEntries, treeLeaves, treeUnflatten, valueAndGrad } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { normals } from './arrays.ts';

/** Standard normal numbers that depend on the seed only. */
export function normalTensor<R extends tf.Rank = tf.Rank>(seed: number, shape: readonly number[]): tf.Tensor<R> {
  const values = normals(seed, tf.util.sizeFromShape([...shape]));
  return tf.tensor(values, [...shape] as tf.ShapeMap[R]);
}

/** Options of `expectGradient`. */
export interface ExpectGradientOptions {
  /** Relative to the gradient's norm. Default 5e-3, what float32 differences can certify. */
  tolerance?: number;
  /** Length of the step to either side. Default 1e-2. */
  step?: number;
}

/**
 * Holds the gradient of `f` against central differences, leaf by leaf, along the gradient plus a random direction.
 *
 * `f` returns any tensor; it is weighted by fixed random numbers and summed.
 */
export async function expectGradient<P extends Tree>(
  f: (params: P) => tf.Tensor,
  params: P,
  options: ExpectGradientOptions = {},
): Promise<void> {
  const { tolerance = 5e-3, step = 1e-2 } = options;
  const loss = (p: P): tf.Scalar =>
    tf.tidy(() => {
      const y = f(p);
      return tf.sum(tf.mul(y, normalTensor(99, y.shape)));
    });
  const [value, grads] = valueAndGrad(loss)(params);
  const leaves = treeLeaves(params) as tf.Tensor[];
  const names = treeEntries(params).map(([path]) => path);
  for (const [i, gradient] of (treeLeaves(grads) as tf.Tensor[]).entries()) {
    const direction = tf.tidy(() => {
      const random = normalTensor(7 + i, gradient.shape);
      const along = tf.div(gradient, tf.add(tf.norm(gradient), 1e-12));
      return tf.add(along, tf.div(random, tf.norm(random)));
    });
    const at = (sign: number): tf.Scalar =>
      tf.tidy(() => {
        const moved = leaves.map((leaf, j) => (j === i ? tf.add(leaf, tf.mul(direction, sign * step)) : leaf));
        return loss(treeUnflatten(params, moved));
      });
    const [plus, minus] = [at(1), at(-1)];
    const [dot, norm] = tf.tidy(() => [tf.sum(tf.mul(gradient, direction)), tf.norm(gradient)]);
    const numeric = ((await plus.data())[0]! - (await minus.data())[0]!) / (2 * step);
    const analytic = (await dot!.data())[0]!;
    const scale = Math.max((await norm!.data())[0]!, 0.1);
    expect(Math.abs(numeric - analytic) / scale, `gradient of ${names[i] || 'the argument'}`).toBeLessThan(tolerance);
    tf.dispose([direction, plus, minus, dot!, norm!]);
  }
  tf.dispose(value);
  tf.dispose(grads as tf.TensorContainer);
}
