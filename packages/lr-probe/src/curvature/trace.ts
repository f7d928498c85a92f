import { foldIn, type Key, mean, standardDeviation } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../errors.ts';
import { read } from '../scene.ts';
import type { SymmetricOperator } from './operators.ts';
import { randomVector } from './vectors.ts';

/** An estimated trace. */
export interface TraceEstimate {
  readonly trace: number;
  /** Its standard error, from the spread of the samples. */
  readonly error: number;
  readonly products: number;
}

/** Options of `hutchinsonTrace` and `hutchPlusPlusTrace`. */
export interface TraceOptions {
  readonly key: Key;
  /** Products with the operator. Default 60. */
  readonly products?: number;
}

/** vᵀ A v for sign vectors v, each less its part along `without`. */
async function samples(operator: SymmetricOperator, key: Key, count: number, without?: tf.Tensor2D): Promise<number[]> {
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const v = tf.tidy(() => {
      const sign = randomVector(foldIn(key, i), operator.size, 'signs');
      if (without === undefined) return sign;
      const column = tf.reshape(sign, [operator.size, 1]) as tf.Tensor2D;
      return tf.reshape(tf.sub(column, tf.matMul(without, tf.matMul(without, column), true)), [
        operator.size,
      ]) as tf.Tensor1D;
    });
    const product = operator.apply(v);
    values.push(await read(tf.dot(v, product)));
    tf.dispose([v, product]);
  }
  return values;
}

/** Hutchinson's estimate of the trace: the mean of vᵀ A v over random signs v; exact for a diagonal matrix. */
export async function hutchinsonTrace(
  operator: SymmetricOperator,
  { key, products = 60 }: TraceOptions,
): Promise<TraceEstimate> {
  checkNumber('products', products, { min: 2, integer: true });
  const values = await samples(operator, key, products);
  return { trace: mean(values), error: standardDeviation(values) / Math.sqrt(products), products };
}

/**
 * Hutch++ (arXiv 2010.09649): the trace of a random low-rank part exactly, and of the rest by Hutchinson; error O(1/products)
 * instead of O(1/√products) where few eigenvalues carry the trace. A third of the products for each of its three parts.
 */
export async function hutchPlusPlusTrace(
  operator: SymmetricOperator,
  { key, products = 60 }: TraceOptions,
): Promise<TraceEstimate> {
  checkNumber('products', products, { min: 6, integer: true });
  const rank = Math.min(Math.floor(products / 3), operator.size);
  const sketch = tf.tidy(() => {
    const columns: tf.Tensor1D[] = [];
    for (let i = 0; i < rank; i++) {
      let column: tf.Tensor = operator.apply(randomVector(foldIn(foldIn(key, 0), i), operator.size, 'signs'));
      for (let pass = 0; pass < 2; pass++) {
        for (const other of columns) column = tf.sub(column, tf.mul(other, tf.dot(other, column)));
      }
      // A column that the others span already becomes zero, not noise.
      const length = tf.norm(column);
      columns.push(tf.divNoNan(column, length) as tf.Tensor1D);
    }
    return tf.stack(columns) as tf.Tensor2D;
  });
  let exact = 0;
  for (let i = 0; i < rank; i++) {
    exact += await read(
      tf.tidy(() => {
        const q = tf.reshape(tf.slice(sketch, [i, 0], [1, operator.size]), [operator.size]) as tf.Tensor1D;
        return tf.dot(q, operator.apply(q));
      }),
    );
  }
  const rest = await samples(operator, foldIn(key, 1), Math.max(2, products - 2 * rank), sketch);
  sketch.dispose();
  return {
    trace: exact + mean(rest),
    error: standardDeviation(rest) / Math.sqrt(rest.length),
    products: 2 * rank + rest.length,
  };
}
