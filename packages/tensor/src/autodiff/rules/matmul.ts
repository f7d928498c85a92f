import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall } from '../jvp-call.ts';
import { sum } from './sum.ts';

/** A product a·b of (batches of) matrices, [A, m, k] and [B, k, n] before transposition, A and B equal or one of them 1. */
interface Product {
  readonly a: tf.Tensor;
  readonly b: tf.Tensor;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  multiply(a: tf.Tensor, b: tf.Tensor, transposeA?: boolean): tf.Tensor;
}

/** ẋ·W + x·Ẇ; also the product part of `_FusedMatMul`. */
export function matMulTangent(call: JvpCall): tf.Tensor | null {
  const { transposeA, transposeB } = call.attrs as { transposeA: boolean; transposeB: boolean };
  const product: Product = {
    a: call.input('a'),
    b: call.input('b'),
    transposeA,
    transposeB,
    multiply: (a, b, ta = transposeA) => call.run({ a, b }, { transposeA: ta, transposeB }, 'BatchMatMul'),
  };
  const left = byLeft(call, product);
  return byStructured(call, product, left) ?? sum(left, byRight(call, product));
}

const rows = (x: tf.Tensor): number => x.shape.at(-2)!;
const columns = (x: tf.Tensor): number => x.shape.at(-1)!;
const batches = (x: tf.Tensor): number => x.size / (rows(x) * columns(x));
const matrices = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [-1, rows(x), columns(x)]);

function byLeft(call: JvpCall, product: Product): tf.Tensor | null {
  const { a, b, transposeA, multiply } = product;
  const da = call.d('a');
  if (da === undefined) return null;
  const k = call.directions;
  if (k === undefined) return multiply(da, b);
  if (batches(b) === 1) {
    // One matrix for all rows: all directions in one product.
    const left = transposeA ? matrices(da) : tf.reshape(da, [-1, columns(da)]);
    return tf.reshape(multiply(left, transposeA ? matrices(b) : tf.reshape(b, b.shape.slice(-2))), outShape(call));
  }
  // [K, A, m, k] as [A, K·m, k].
  const split = tf.reshape(da, [k, batches(a), rows(a), columns(a)]);
  const [m, inner] = transposeA ? [columns(a), rows(a)] : [rows(a), columns(a)];
  const left = tf.reshape(tf.transpose(split, transposeA ? [1, 0, 3, 2] : [1, 0, 2, 3]), [batches(a), k * m, inner]);
  const result = multiply(left, matrices(b), false);
  const unfolded = tf.reshape(result, [result.shape[0]!, k, m, columns(result)]);
  return tf.reshape(tf.transpose(unfolded, [1, 0, 2, 3]), outShape(call));
}

function byRight(call: JvpCall, product: Product): tf.Tensor | null {
  const { a, b, transposeB, multiply } = product;
  const db = call.d('b');
  if (db === undefined) return null;
  const k = call.directions;
  if (k === undefined) return multiply(a, db);
  if (batches(a) === 1) return tf.reshape(multiply(matrices(a), matrices(db)), outShape(call));
  // [K, B, k, n] as [B, k, K·n], or with the second transposed as [B, K·n, k].
  const split = tf.reshape(db, [k, batches(b), rows(b), columns(b)]);
  const n = transposeB ? rows(b) : columns(b);
  const right = transposeB
    ? tf.reshape(tf.transpose(split, [1, 0, 2, 3]), [batches(b), k * n, columns(b)])
    : tf.reshape(tf.transpose(split, [1, 2, 0, 3]), [batches(b), rows(b), k * n]);
  const result = multiply(matrices(a), right);
  const unfolded = tf.reshape(result, [result.shape[0]!, rows(result), k, n]);
  return tf.reshape(tf.transpose(unfolded, [2, 0, 1, 3]), outShape(call));
}

/** `left` + x·Ẇ by the structure of Ẇ, if it has one that can; Ẇ may arrive as [1, n, m]. */
function byStructured(
  call: JvpCall,
  { a, b, transposeA, transposeB }: Pick<Product, 'a' | 'b' | 'transposeA' | 'transposeB'>,
  left: tf.Tensor | null,
): tf.Tensor | undefined {
  const tangent = call.raw('b');
  if (tangent === undefined || tangent instanceof tf.Tensor || transposeA || batches(b) > 1) return undefined;
  const matrix = tangent.reshape?.(call.withLead(b.shape.slice(-2)));
  if (matrix?.product === undefined) {
    matrix?.dispose();
    return undefined;
  }
  const n = call.y.shape.at(-1)!;
  const into = left === null ? undefined : tf.reshape(left, call.withLead([call.y.size / n, n]));
  // Ours alone, so that it may be added to in place.
  if (into !== undefined) left?.dispose();
  try {
    return tf.reshape(matrix.product(tf.reshape(a, [-1, columns(a)]), transposeB, into), outShape(call));
  } finally {
    matrix.dispose();
  }
}

function outShape(call: JvpCall): number[] {
  return call.withLead(call.y.shape);
}
