import { foldIn, type Key, mean, standardDeviation } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../errors.ts';
import type { ProbeOptions } from '../problem.ts';
import { read } from '../scene.ts';
import type { SymmetricOperator } from './operators.ts';
import { randomVector } from './vectors.ts';
import { watched } from './watched.ts';

/** An estimated trace. */
export interface TraceEstimate {
  readonly trace: number;
  /** Its standard error, from the spread of the samples. */
  readonly error: number;
  readonly products: number;
}

/** Options of `hutchinsonTrace` and `hutchPlusPlusTrace`. */
export interface TraceOptions extends ProbeOptions {
  readonly key: Key;
  /** Products with the operator. Default 60. */
  readonly products?: number;
}

/** vᵀ A v for sign vectors v, each less its part along `without`. */
async function samples(operator: SymmetricOperator, key: Key, count: number, without?: tf.Tensor2D): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const value = tf.tidy(() => {
      let v = randomVector(foldIn(key, i), operator.size, 'signs');
      if (without !== undefined) {
        const column = tf.reshape(v, [operator.size, 1]) as tf.Tensor2D;
        const outside = tf.sub(column, tf.matMul(without, tf.matMul(without, column), true));
        v = tf.reshape(outside, [operator.size]) as tf.Tensor1D;
      }
      return tf.dot(v, operator.apply(v));
    });
    values.push(await read(value));
  }
  return values;
}

/** Hutchinson's estimate of the trace: the mean of vᵀ A v over random signs v; exact for a diagonal matrix. */
export async function hutchinsonTrace(operator: SymmetricOperator, options: TraceOptions): Promise<TraceEstimate> {
  const { key, products = 60 } = options;
  checkNumber('products', products, { min: 2, integer: true });
  const values = await samples(watched(operator, options, 'trace', products), key, products);
  return { trace: mean(values), error: standardDeviation(values) / Math.sqrt(products), products };
}

/**
 * Hutch++ (arXiv 2010.09649): the trace of a random low-rank part exactly, and of the rest by Hutchinson; error O(1/products)
 * instead of O(1/√products) where few eigenvalues carry the trace. A third of the products for each of its three parts.
 */
export async function hutchPlusPlusTrace(operator: SymmetricOperator, options: TraceOptions): Promise<TraceEstimate> {
  const { key, products = 60 } = options;
  checkNumber('products', products, { min: 6, integer: true });
  const { size } = operator;
  const rank = Math.min(Math.floor(products / 3), size);
  const left = Math.max(2, products - 2 * rank);
  const matrix = watched(operator, options, 'trace', 2 * rank + left);
  const sketch = tf.tidy(() => {
    const columns: tf.Tensor1D[] = [];
    for (let i = 0; i < rank; i++) {
      let column: tf.Tensor = matrix.apply(randomVector(foldIn(foldIn(key, 0), i), size, 'signs'));
      for (let pass = 0; pass < 2; pass++) {
        for (const other of columns) column = tf.sub(column, tf.mul(other, tf.dot(other, column)));
      }
      // A column that the others span already becomes zero, not noise.
      const length = tf.norm(column);
      columns.push(tf.divNoNan(column, length) as tf.Tensor1D);
    }
    return tf.stack(columns) as tf.Tensor2D;
  });
  try {
    let exact = 0;
    for (let i = 0; i < rank; i++) {
      const part = tf.tidy(() => {
        const q = tf.reshape(tf.slice(sketch, [i, 0], [1, size]), [size]) as tf.Tensor1D;
        return tf.dot(q, matrix.apply(q));
      });
      exact += await read(part);
    }
    const rest = await samples(matrix, foldIn(key, 1), left, sketch);
    const error = standardDeviation(rest) / Math.sqrt(left);
    return { trace: exact + mean(rest), error, products: 2 * rank + left };
  } finally {
    sketch.dispose();
  }
}
