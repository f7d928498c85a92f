import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Tree } from '../seams/index.ts';
import { treeUnflatten } from '../tree/index.ts';
import { checkFloat, leavesOf, tidy } from './inputs.ts';
import { jvpMany } from './jvp.ts';
import type { TangentTree } from './seeds.ts';

/** Options of `jacfwd`. */
export interface JacfwdOptions {
  /** Directions in one pass; the rest waits for the next. Default 64. */
  chunk?: number;
}

/**
 * The Jacobian of `f` by forward mode, column by column: right for few inputs and many outputs.
 *
 * @param f From a tree of float32 tensors to a tensor.
 * @param x Where.
 * @returns For every leaf of `x` its Jacobian, [...output shape, ...leaf shape]; the caller owns them.
 * @throws As `jvpMany`; `BAD_ARGUMENT` for a chunk below 1.
 */
export function jacfwd<P extends Tree>(f: (x: P) => tf.Tensor, x: P, options: JacfwdOptions = {}): P {
  const { chunk = 64 } = options;
  if (!Number.isInteger(chunk) || chunk < 1) {
    throw new FrugalError('BAD_ARGUMENT', `jacfwd: chunk must be an integer of at least 1, got ${chunk}.`);
  }
  checkFloat('jacfwd', x);
  return tidy(() => {
    const leaves = leavesOf(x);
    const jacobians = leaves.map((leaf, i) => {
      const rows: tf.Tensor[] = [];
      for (let from = 0; from < leaf.size; from += chunk) {
        rows.push(tidy(() => columns(f, x, i, from, Math.min(chunk, leaf.size - from))));
      }
      const all = rows.length === 1 ? rows[0]! : tf.concat(rows, 0);
      return directionsLast(all, leaf.shape);
    });
    return treeUnflatten(x, jacobians);
  });
}

/** The derivatives by elements [from, from + count) of the i-th leaf: [count, ...output shape]. */
function columns<P extends Tree>(f: (x: P) => tf.Tensor, x: P, i: number, from: number, count: number): tf.Tensor {
  const leaves = leavesOf(x);
  const { size, shape } = leaves[i]!;
  const values = new Float32Array(count * size);
  for (let k = 0; k < count; k++) values[k * size + from + k] = 1;
  const basis = tf.tensor(values, [count, ...shape]);
  const tangents: TangentTree = treeUnflatten(
    x,
    leaves.map((_, j) => (j === i ? basis : null)),
  );
  return jvpMany((p: P) => f(p), [x], [tangents])[1];
}

/** [n, ...output] as [...output, ...shape]. */
function directionsLast(all: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const last = tf.transpose(all, [...[...all.shape.keys()].slice(1), 0]);
  return tf.reshape(last, [...all.shape.slice(1), ...shape]);
}
