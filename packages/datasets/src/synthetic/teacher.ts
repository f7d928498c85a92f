import { type Key, split } from '@frugal/tensor';
import { checkCount } from '../errors.ts';
import type { Examples } from '../examples.ts';
import { normals } from '../host-random.ts';

/** A layer of the teacher: `weight` [inputs, outputs] row-major, `bias` [outputs]. */
export interface TeacherLayer {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
}

/** Which teacher, and how much of it. */
export interface TeacherOptions {
  readonly size: number;
  /** Numbers in an input. */
  readonly inputs: number;
  /** Widths of the tanh layers; `[]` is linear regression. Default: `[32]`. */
  readonly hidden?: readonly number[];
  /** Numbers in a target. Default: 1. */
  readonly outputs?: number;
  /** Standard deviation of the normal noise on each target. Default: 0. */
  readonly noise?: number;
  readonly key: Key;
}

/** Data with the network that made it. */
export interface TeacherRegression {
  readonly examples: Examples<Float32Array, Float32Array>;
  /** What the student should find: tanh after all layers but the last. */
  readonly layers: readonly TeacherLayer[];
  /** The mean squared error of the teacher itself on these examples: noise that no student can explain. */
  readonly floor: number;
}

function forward(layers: readonly TeacherLayer[], input: Float32Array): Float32Array {
  let values = input;
  for (const [l, { weight, bias, inputs, outputs }] of layers.entries()) {
    const next = new Float32Array(outputs);
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o]!;
      for (let i = 0; i < inputs; i++) sum += values[i]! * weight[i * outputs + o]!;
      next[o] = l < layers.length - 1 ? Math.tanh(sum) : sum;
    }
    values = next;
  }
  return values;
}

/**
 * Regression with a known answer: y = teacher(x) + noise, x standard normal, the teacher a random tanh network.
 *
 * Weights are normal with variance 1 / inputs of their layer, biases normal with variance 0.01.
 */
export function teacherRegression(options: TeacherOptions): TeacherRegression {
  const { size, inputs, hidden = [32], outputs = 1, noise = 0, key } = options;
  checkCount('size', size);
  const widths = [inputs, ...hidden, outputs];
  for (const width of widths) checkCount('inputs, outputs or a width in hidden', width);
  const [inputKey, noiseKey, ...keys] = split(key, 2 + 2 * (widths.length - 1)) as [Key, Key, ...Key[]];
  const layers = widths.slice(1).map((width, l): TeacherLayer => {
    const fan = widths[l]!;
    const weight = normals(keys[2 * l]!, fan * width).map((value) => value / Math.sqrt(fan));
    const bias = normals(keys[2 * l + 1]!, width).map((value) => value * 0.1);
    return { weight, bias, inputs: fan, outputs: width };
  });
  const x = normals(inputKey, size * inputs);
  const errors = normals(noiseKey, size * outputs);
  const y = new Float32Array(size * outputs);
  let squares = 0;
  for (let n = 0; n < size; n++) {
    const clean = forward(layers, x.subarray(n * inputs, (n + 1) * inputs));
    for (let o = 0; o < outputs; o++) {
      y[n * outputs + o] = clean[o]! + noise * errors[n * outputs + o]!;
      squares += (y[n * outputs + o]! - clean[o]!) ** 2;
    }
  }
  const examples = { size, x, shape: [inputs], y, targetShape: [outputs] };
  return { examples, layers, floor: squares / (size * outputs) };
}
