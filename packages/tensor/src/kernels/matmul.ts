import * as tf from '@tensorflow/tfjs-core';
import { checkFinite, checkFloats } from './check.ts';
import { KernelName } from './names.ts';
import { donating, hasKernel, runKernel } from './run.ts';
import type { MatMulAccumulateInputs, MatMulTangentInputs } from './types.ts';

/** Options of `matMulTangent`. */
export interface TransposeOptions {
  /** Default false. */
  readonly transposeA?: boolean;
  /** Default false. */
  readonly transposeB?: boolean;
}

/** Options of `matMulAccumulate`. */
export interface MatMulAccumulateOptions extends TransposeOptions {
  /** Factor on the product. Default 1. */
  readonly alpha?: number;
}

/** Sizes of op(a)·op(b), from checked matrices. */
function sizes(
  kernel: string,
  a: tf.Tensor,
  b: tf.Tensor,
  { transposeA = false, transposeB = false }: TransposeOptions,
) {
  checkFloats(kernel, 'a', a, [null, null]);
  const [m, k] = (transposeA ? [a.shape[1], a.shape[0]] : a.shape) as [number, number];
  checkFloats(kernel, 'b', b, transposeB ? [null, k] : [k, null]);
  return { m, n: b.shape[transposeB ? 0 : 1]!, transposeA, transposeB };
}

/**
 * A matrix product and its tangent together: y = op(a)·op(b) + bias, ẏ = op(ȧ)·op(b) + op(a)·op(ḃ) + bias tangent.
 *
 * @param tensors `a` [M, K] and `b` [K, N] before transposition, `bias` [N]; a missing tangent (`da`, `db`, `dbias`) is 0.
 * @returns [y, ẏ], both [M, N].
 * @throws {KernelArgumentError} If a shape does not fit or a tensor is not float32.
 */
export function matMulTangent(tensors: MatMulTangentInputs, options: TransposeOptions = {}): [tf.Tensor, tf.Tensor] {
  const name = KernelName.MatMulTangent;
  const { a, b, da, db, bias, dbias } = tensors;
  const { n, transposeA, transposeB } = sizes(name, a, b, options);
  if (da !== undefined) checkFloats(name, 'da', da, a.shape);
  if (db !== undefined) checkFloats(name, 'db', db, b.shape);
  if (bias !== undefined) checkFloats(name, 'bias', bias, [n]);
  if (dbias !== undefined) checkFloats(name, 'dbias', dbias, [n]);
  if (hasKernel(name)) return runKernel(name, { ...tensors }, { transposeA, transposeB }) as [tf.Tensor, tf.Tensor];
  return tf.tidy(() => matMulTangentOfOps(tensors, { transposeA, transposeB }));
}

/** `matMulTangent` as a composition of stock ops. */
export function matMulTangentOfOps(tensors: MatMulTangentInputs, options: TransposeOptions): [tf.Tensor, tf.Tensor] {
  const { a, b, da, db, bias, dbias } = tensors;
  const { transposeA = false, transposeB = false } = options;
  const product = (left: tf.Tensor, right: tf.Tensor): tf.Tensor => tf.matMul(left, right, transposeA, transposeB);
  const y = product(a, b);
  const parts: tf.Tensor[] = [];
  if (da !== undefined) parts.push(product(da, b));
  if (db !== undefined) parts.push(product(a, db));
  if (parts.length === 0) parts.push(tf.zeros(y.shape));
  if (dbias !== undefined) parts.push(dbias);
  return [bias === undefined ? y : tf.add(y, bias), parts.reduce((sum, part) => tf.add(sum, part))];
}

/**
 * c + alpha · op(a)·op(b), without a buffer for the product where the backend can.
 *
 * @param tensors `c` [M, N] is donated: disposed here, reused where nobody else holds it. `a` [M, K] and `b` [K, N]
 * before transposition.
 * @throws {KernelArgumentError} If a shape does not fit or a tensor is not float32; nothing is donated then.
 */
export function matMulAccumulate(
  { c, a, b }: MatMulAccumulateInputs,
  options: MatMulAccumulateOptions = {},
): tf.Tensor {
  const name = KernelName.MatMulAccumulate;
  const { m, n, transposeA, transposeB } = sizes(name, a, b, options);
  const { alpha = 1 } = options;
  checkFloats(name, 'c', c, [m, n]);
  checkFinite(name, { alpha });
  return donating(name, [c], [a, b], () => {
    if (hasKernel(name)) return runKernel(name, { c, a, b }, { transposeA, transposeB, alpha })[0]!;
    const product = tf.matMul(a, b, transposeA, transposeB);
    return tf.add(c, alpha === 1 ? product : tf.mul(product, alpha));
  });
}
