import * as tf from '@tensorflow/tfjs-core';
import { checkFloats, checkRows, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { differentiable, donating, hasKernel, isRecording, runKernel } from './run.ts';
import type { ScatterAddRowsInputs } from './types.ts';

/** Options of `scatterAddRows`. */
export interface ScatterAddRowsOptions {
  /** Where each row of `x` goes; repeated rows add up. */
  readonly rows: Int32Array;
  /** A factor for each row of `x`. Default 1. */
  readonly scale?: Float32Array;
}

function checkRanked(name: string, argument: string, x: tf.Tensor): void {
  if (x.rank === 0) throw new KernelArgumentError(name, argument, 'must have rows, got a scalar.');
}

/**
 * Rows of a tensor: y[i] = x[rows[i]] over the first axis. Differentiable in `x` where that is float32.
 *
 * @param x [N, …], float32 or int32.
 * @param rows Numbers in [0, N), known on the host, in any order, repeated or not.
 * @returns [rows.length, …], of the type of `x`.
 * @throws {KernelArgumentError} If a row is out of range, or `x` holds neither floats nor integers.
 */
export function gatherRows(x: tf.Tensor, rows: Int32Array): tf.Tensor {
  const name = KernelName.GatherRows;
  checkRanked(name, 'x', x);
  if (x.dtype !== 'int32') checkFloats(name, 'x', x);
  checkRows(name, rows, x.shape[0]!);
  const { shape, dtype } = x;
  const kept = isRecording() ? rows.slice() : rows; // the caller may reuse the array before the backward pass
  return differentiable(
    { x },
    () => {
      if (rows.length === 0) return tf.zeros([0, ...shape.slice(1)], dtype);
      return hasKernel(name) ? runKernel(name, { x }, { rows })[0]! : tf.gather(x, tf.tensor1d(rows, 'int32'));
    },
    (dy) => ({ x: () => scatterAddRows({ into: tf.fill(shape, 0), x: dy }, { rows: kept }) }),
  );
}

/**
 * Adds rows: into[rows[i]] += scale[i] · x[i]. Differentiable in both tensors.
 *
 * @param tensors `into` [N, …] is donated: disposed here, reused where nobody else holds it. `x` [rows.length, …].
 * @returns [N, …].
 * @throws {KernelArgumentError} If a shape does not fit or a row is out of range; nothing is donated then.
 */
export function scatterAddRows({ into, x }: ScatterAddRowsInputs, options: ScatterAddRowsOptions): tf.Tensor {
  const name = KernelName.ScatterAddRows;
  const rows = isRecording() ? options.rows.slice() : options.rows;
  const scale = isRecording() ? options.scale?.slice() : options.scale;
  checkRanked(name, 'into', into);
  checkFloats(name, 'into', into);
  checkRows(name, rows, into.shape[0]!);
  checkFloats(name, 'x', x, [rows.length, ...into.shape.slice(1)]);
  if (scale !== undefined && scale.length !== rows.length) {
    throw new KernelArgumentError(name, 'scale', `must be as long as rows, ${rows.length}, got ${scale.length}.`);
  }
  const scaled = (y: tf.Tensor): tf.Tensor =>
    scale === undefined ? y : tf.mul(y, tf.tensor(scale, [scale.length, ...y.shape.slice(1).map(() => 1)]));
  return donating(name, [into], [x], () =>
    differentiable(
      { into, x },
      () => {
        if (x.size === 0) return tf.clone(into);
        if (hasKernel(name)) {
          return runKernel(name, { into, x }, scale === undefined ? { rows } : { rows, scale })[0]!;
        }
        return tf.add(into, tf.scatterND(tf.tensor2d(rows, [rows.length, 1], 'int32'), scaled(x), into.shape));
      },
      (dy) => ({ into: () => tf.clone(dy), x: () => scaled(gatherRows(dy, rows)) }),
    ),
  );
}
