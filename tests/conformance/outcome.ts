import { jvp, vjp } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { results } from '../autodiff/program.ts';
import { type Sample, tensors } from '../autodiff/samples.ts';

/** What a program gives on a backend: its value, its gradient for a fixed cotangent (nothing without one), its tangent. */
export interface Outcome {
  readonly value: number[];
  readonly gradient: number[];
  readonly tangent: number[];
}

async function read(out: readonly tf.Tensor[]): Promise<number[]> {
  const lists = await Promise.all(out.map(async (t) => [...((await t.data()) as Float32Array)]));
  return lists.flat();
}

/** Runs a sample on the current backend; without `differentiate` its gradient is left out. */
export async function outcome(sample: Sample, differentiate: boolean): Promise<Outcome> {
  const [xs, vs] = [tensors(sample, sample.primals), tensors(sample, sample.tangents)];
  const f = (...inputs: tf.Tensor[]): tf.Tensor[] => [...results(sample.program, inputs)];
  const [out, tangents] = jvp(f, xs, vs);
  const [value, tangent] = [await read(out), await read(tangents)];
  const gradient = differentiate ? await gradientOf(f, xs) : [];
  tf.dispose([xs, vs, out, tangents]);
  return { value, gradient, tangent };
}

async function gradientOf(f: (...inputs: tf.Tensor[]) => tf.Tensor[], xs: tf.Tensor[]): Promise<number[]> {
  const [out, pullback] = vjp(f, xs);
  const cotangents = out.map((y) => {
    const numbers = Float32Array.from({ length: y.size }, (_, i) => Math.cos(i + 1));
    return tf.tensor(numbers, y.shape);
  });
  const gradients = pullback(cotangents);
  const values = await read(gradients);
  pullback.dispose();
  tf.dispose([out, cotangents, gradients]);
  return values;
}

/** The largest difference, relative to 1 + the largest number of `expected`. */
export function distance(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const scale = 1 + expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const worst = actual.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i]!)), 0);
  return actual.some(Number.isNaN) ? Number.POSITIVE_INFINITY : worst / scale;
}
