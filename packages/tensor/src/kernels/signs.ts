import * as tf from '@tensorflow/tfjs-core';
import { packedSigns } from '../random/packed-signs.ts';
import type { Key } from '../seams/index.ts';
import { checkFinite, checkFloats } from './check.ts';
import { KernelName } from './names.ts';
import { donating, hasKernel, runKernel } from './run.ts';
import type { AddSignsInputs, MatMulSignsInputs } from './types.ts';

/** The ±1 matrix of a key, written out. */
export function signMatrix(key: Key, rows: number, columns: number): tf.Tensor2D {
  return tf.tensor2d(packedSigns(key, rows, columns), [rows, columns]);
}

/**
 * a·S + into + bias for the ±1 matrix S [K, columns] of a key (`signs(key, …, { layout: 'packed' })`).
 *
 * A backend's kernel makes the signs while it multiplies and stores none.
 *
 * @param tensors `a` [M, K], `bias` [N]; `into` [M, N] is donated: disposed here, reused where nobody else holds it.
 * @throws {KernelArgumentError} If a shape does not fit or a tensor is not float32; nothing is donated then.
 */
export function matMulSigns({ a, into, bias }: MatMulSignsInputs, key: Key, columns: number): tf.Tensor {
  const name = KernelName.MatMulSigns;
  checkFloats(name, 'a', a, [null, null]);
  const [m] = a.shape as [number, number];
  if (into !== undefined) checkFloats(name, 'into', into, [m, columns]);
  if (bias !== undefined) checkFloats(name, 'bias', bias, [columns]);
  return donating(name, into === undefined ? [] : [into], bias === undefined ? [a] : [a, bias], () => {
    if (hasKernel(name)) return runKernel(name, { a, into, bias }, { hi: key.hi, lo: key.lo, columns })[0]!;
    return matMulSignsOfOps({ a, ...(into && { into }), ...(bias && { bias }) }, key, columns);
  });
}

/** `matMulSigns` as a composition of stock ops. */
export function matMulSignsOfOps({ a, into, bias }: MatMulSignsInputs, key: Key, columns: number): tf.Tensor {
  const product = tf.matMul(a as tf.Tensor2D, signMatrix(key, a.shape[1]!, columns));
  return [into, bias].reduce<tf.Tensor>((sum, term) => (term === undefined ? sum : tf.add(sum, term)), product);
}

/**
 * p + factor · scale · S for the ±1 matrix S of a key, in the shape of `p`.
 *
 * @param tensors `p` [K, N] is donated: disposed here, reused where nobody else holds it; `scale` a scalar on the device.
 * @throws {KernelArgumentError} If a shape does not fit or a tensor is not float32; nothing is donated then.
 */
export function addSigns({ p, scale }: AddSignsInputs, key: Key, factor = 1): tf.Tensor {
  const name = KernelName.AddSigns;
  checkFloats(name, 'p', p, [null, null]);
  if (scale !== undefined) checkFloats(name, 'scale', scale, []);
  checkFinite(name, { factor });
  return donating(name, [p], scale === undefined ? [] : [scale], () => {
    if (hasKernel(name)) return runKernel(name, { p, scale }, { hi: key.hi, lo: key.lo, factor })[0]!;
    return addSignsOfOps(scale === undefined ? { p } : { p, scale }, key, factor);
  });
}

/** `addSigns` as a composition of stock ops. */
export function addSignsOfOps({ p, scale }: AddSignsInputs, key: Key, factor: number): tf.Tensor {
  const [k, n] = p.shape as [number, number];
  return tf.add(p, tf.mul(signMatrix(key, k, n), scale === undefined ? factor : tf.mul(scale, factor)));
}
