import { KernelName, type MatMulAccumulateAttrs, type MatMulTangentAttrs } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Runtime } from '../runtime/runtime.ts';
import { multiply } from './matmul.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

type Inputs = Record<string, tf.TensorInfo | undefined>;

/** M, N, K of op(a) · op(b), both of rank 2. */
function sizes(
  name: string,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): [number, number, number] {
  const [a0, a1] = a.shape as [number, number];
  const [b0, b1] = b.shape as [number, number];
  const [m, k] = transposeA ? [a1, a0] : [a0, a1];
  const [inner, n] = transposeB ? [b1, b0] : [b0, b1];
  if (a.shape.length !== 2 || b.shape.length !== 2 || k !== inner) {
    throw refusal(name, `cannot multiply [${a.shape}]${transposeA ? 'ᵀ' : ''} by [${b.shape}]${transposeB ? 'ᵀ' : ''}`);
  }
  return [m, n, k];
}

function tangent(runtime: Runtime, inputs: Inputs, { transposeA, transposeB }: MatMulTangentAttrs): tf.TensorInfo[] {
  const { a, b, da, db, bias, dbias } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo } & Inputs;
  expectFloat(KernelName.MatMulTangent, a, b, da, db, bias, dbias);
  const [m, n, k] = sizes(KernelName.MatMulTangent, a, b, transposeA, transposeB);
  const [y, dy] = [runtime.output([m, n]), runtime.output([m, n])];
  const at = (x: tf.TensorInfo | undefined): number => (x === undefined ? 0 : runtime.address(x));
  const common = { transposeA, transposeB, m, n, k };
  multiply(runtime, { ...common, a: at(a), b: at(b), c: at(y), bias: at(bias) });
  if (da !== undefined) {
    multiply(runtime, { ...common, a: at(da), b: at(b), c: at(dy), bias: db === undefined ? at(dbias) : 0 });
  }
  if (db !== undefined) {
    multiply(runtime, { ...common, a: at(a), b: at(db), c: at(dy), bias: at(dbias), add: da !== undefined });
  }
  // No tangent of a factor: zero (a product of depth 0) plus the bias' tangent.
  if (da === undefined && db === undefined)
    multiply(runtime, { ...common, k: 0, a: at(a), b: at(b), c: at(dy), bias: at(dbias) });
  return [y, dy];
}

function accumulate(runtime: Runtime, inputs: Inputs, attrs: MatMulAccumulateAttrs): tf.TensorInfo {
  const { a, b, c } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo; c: tf.TensorInfo };
  const { transposeA, transposeB, alpha } = attrs;
  expectFloat(KernelName.MatMulAccumulate, a, b, c);
  const [m, n, k] = sizes(KernelName.MatMulAccumulate, a, b, transposeA, transposeB);
  if (c.shape[0] !== m || c.shape[1] !== n || c.shape.length !== 2) {
    throw refusal(KernelName.MatMulAccumulate, `adds [${m}, ${n}] to c, which has [${c.shape}]`);
  }
  const out = runtime.donated(c, [a, b, c]);
  const [pa, pb, pc] = [a, b, out].map((x) => runtime.address(x)) as [number, number, number];
  multiply(runtime, { transposeA, transposeB, m, n, k, a: pa, b: pb, c: pc, alpha, add: true });
  return out;
}

export const productKernels: readonly Registration[] = [
  over(
    KernelName.MatMulTangent,
    (runtime) =>
      ({ inputs, attrs }) =>
        tangent(runtime, inputs, attrs as unknown as MatMulTangentAttrs),
  ),
  over(
    KernelName.MatMulAccumulate,
    (runtime) =>
      ({ inputs, attrs }) =>
        accumulate(runtime, inputs, attrs as unknown as MatMulAccumulateAttrs),
  ),
];
