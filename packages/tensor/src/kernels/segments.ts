import * as tf from '@tensorflow/tfjs-core';
import { checkEnds, checkFloats } from './check.ts';
import { gelu } from './gelu.ts';
import { KernelName } from './names.ts';
import { differentiable, hasKernel, isRecording, runKernel } from './run.ts';
import type { SegmentMatMulInputs, SegmentMatMulWeightGradInputs } from './types.ts';

/** Options of `segmentMatMul`. */
export interface SegmentMatMulOptions {
  /** The row after each segment; the last is the number of rows. */
  readonly ends: readonly number[];
  /** Whether the matrices are stored as [S, N, K]. Default false. */
  readonly transposeW?: boolean;
  /** Default `'linear'`. `'gelu'` is the tanh form. */
  readonly activation?: 'linear' | 'relu' | 'gelu';
}

type Run = [segment: number, from: number, size: number];

/** The segments that have rows. */
function runs(ends: readonly number[]): Run[] {
  const all = ends.map((end, s): Run => [s, s === 0 ? 0 : ends[s - 1]!, end - (s === 0 ? 0 : ends[s - 1]!)]);
  return all.filter(([, , size]) => size > 0);
}

/** The rows of each segment where all have as many: then they are batches of one product. */
function equalSize(ends: readonly number[]): number | undefined {
  const size = ends[0]!;
  return ends.every((end, s) => end === (s + 1) * size) ? size : undefined;
}

/** Row `s` of a stack of matrices. */
function matrix(stack: tf.Tensor, s: number): tf.Tensor {
  const [, rows, columns] = stack.shape as [number, number, number];
  return tf.reshape(tf.slice(stack, [s, 0, 0], [1, rows, columns]), [rows, columns]);
}

/**
 * Rows sorted by segment, one matrix per segment: y[i] = activation(x[i]·op(w[s(i)]) + bias[s(i)]).
 *
 * Differentiable in the tensors. The matrices of empty segments are not read, forward and backward.
 *
 * @param tensors `x` [T, K]; `w` [S, K, N], or [S, N, K] with `transposeW`; `bias` [S, N].
 * @returns [T, N].
 * @throws {KernelArgumentError} If a shape does not fit or `ends` are not S growing numbers up to T.
 */
export function segmentMatMul({ x, w, bias }: SegmentMatMulInputs, options: SegmentMatMulOptions): tf.Tensor {
  const name = KernelName.SegmentMatMul;
  const { transposeW = false, activation = 'linear' } = options;
  const ends = [...options.ends];
  checkFloats(name, 'x', x, [null, null]);
  const [t, k] = x.shape as [number, number];
  checkFloats(name, 'w', w, transposeW ? [null, null, k] : [null, k, null]);
  const [segments, n] = [w.shape[0]!, w.shape[transposeW ? 1 : 2]!];
  if (bias !== undefined) checkFloats(name, 'bias', bias, [segments, n]);
  checkEnds(name, ends, segments, t);
  const fused = isRecording() ? 'linear' : activation; // the gradient needs what the activation gets
  const y = differentiable(
    { x, w, bias },
    (save) => {
      save([x, w]);
      if (t === 0) return tf.zeros([0, n]);
      if (!hasKernel(name)) return activate(composed(x, w, bias, ends, transposeW), fused);
      return runKernel(name, { x, w, bias }, { ends, transposeW, activation: fused })[0]!;
    },
    (dy, [x, w]) => ({
      x: () => segmentMatMul({ x: dy, w: w! }, { ends, transposeW: !transposeW }),
      w: () => segmentMatMulWeightGrad(transposeW ? { x: dy, dy: x! } : { x: x!, dy }, ends),
      bias: () => tf.reshape(segmentMatMulWeightGrad({ x: tf.fill([t, 1], 1), dy }, ends), [segments, n]),
    }),
  );
  if (fused === activation) return y;
  const activated = activate(y, activation);
  y.dispose();
  return activated;
}

function activate(y: tf.Tensor, activation: 'linear' | 'relu' | 'gelu'): tf.Tensor {
  if (activation === 'linear') return y;
  return activation === 'relu' ? tf.relu(y) : gelu(y);
}

function composed(
  x: tf.Tensor,
  w: tf.Tensor,
  bias: tf.Tensor | undefined,
  ends: readonly number[],
  transposeW: boolean,
): tf.Tensor {
  const [k, n] = [x.shape[1]!, w.shape[transposeW ? 1 : 2]!];
  const size = equalSize(ends);
  if (size !== undefined) {
    const product = tf.matMul(tf.reshape(x, [ends.length, size, k]), w, false, transposeW);
    return tf.reshape(bias === undefined ? product : tf.add(product, tf.expandDims(bias, 1)), [x.shape[0]!, n]);
  }
  const parts = runs(ends).map(([s, from, size]) => {
    const product = tf.matMul(tf.slice(x, [from, 0], [size, k]), matrix(w, s), false, transposeW);
    return bias === undefined ? product : tf.add(product, tf.slice(bias, [s, 0], [1, n]));
  });
  return parts.length === 1 ? parts[0]! : tf.concat(parts, 0);
}

/**
 * The gradient of `segmentMatMul` in its matrices: per segment x[s]ᵀ·dy[s], zero where a segment is empty.
 *
 * @param tensors `x` [T, K], `dy` [T, N].
 * @param ends The row after each segment.
 * @returns [S, K, N].
 * @throws {KernelArgumentError} If a shape does not fit or `ends` are not growing numbers up to T.
 */
export function segmentMatMulWeightGrad({ x, dy }: SegmentMatMulWeightGradInputs, ends: readonly number[]): tf.Tensor {
  const name = KernelName.SegmentMatMulWeightGrad;
  checkFloats(name, 'x', x, [null, null]);
  const [t, k] = x.shape as [number, number];
  checkFloats(name, 'dy', dy, [t, null]);
  checkEnds(name, ends, ends.length, t);
  const n = dy.shape[1]!;
  if (t === 0) return tf.zeros([ends.length, k, n]);
  if (hasKernel(name)) return runKernel(name, { x, dy }, { ends: [...ends] })[0]!;
  return tf.tidy(() => {
    const size = equalSize(ends);
    if (size !== undefined) {
      const [a, b] = [x, dy].map((rows) => tf.reshape(rows, [ends.length, size, rows.shape[1]!])) as [
        tf.Tensor,
        tf.Tensor,
      ];
      return tf.matMul(a, b, true, false);
    }
    const parts = ends.map(() => tf.zeros([1, k, n]));
    for (const [s, from, size] of runs(ends)) {
      const product = tf.matMul(tf.slice(x, [from, 0], [size, k]), tf.slice(dy, [from, 0], [size, n]), true, false);
      parts[s] = tf.reshape(product, [1, k, n]);
    }
    return tf.concat(parts, 0);
  });
}
