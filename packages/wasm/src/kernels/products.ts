import {
  KernelName,
  type MatMulAccumulateAttrs,
  type MatMulTangentAttrs,
  type SegmentMatMulAttrs,
  type SegmentMatMulWeightGradAttrs,
} from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Runtime } from '../runtime/runtime.ts';
import { ACTIVATION, GROUP_WORDS, multiply } from './matmul.ts';
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

function checkEnds(name: string, ends: readonly number[], rows: number, segments: number): void {
  const sorted = ends.every((end, s) => end >= (ends[s - 1] ?? 0));
  if (ends.length !== segments || !sorted || (ends.at(-1) ?? 0) !== rows) {
    throw refusal(
      name,
      `takes one end per segment (${segments}), never decreasing, the last being ${rows}; got [${ends}]`,
    );
  }
}

function segments(
  runtime: Runtime,
  inputs: Inputs,
  { ends, transposeW, activation }: SegmentMatMulAttrs,
): tf.TensorInfo {
  const { x, w, bias } = inputs as { x: tf.TensorInfo; w: tf.TensorInfo } & Inputs;
  const name = KernelName.SegmentMatMul;
  expectFloat(name, x, w, bias);
  const [rows, k] = x.shape as [number, number];
  const [count, w0, w1] = w.shape as [number, number, number];
  const [inner, n] = transposeW ? [w1, w0] : [w0, w1];
  if (x.shape.length !== 2 || w.shape.length !== 3 || inner !== k)
    throw refusal(name, `cannot multiply [${x.shape}] by [${w.shape}]`);
  checkEnds(name, ends, rows, count);
  const kind = ACTIVATION[activation];
  if (kind === undefined) throw refusal(name, `knows linear, relu and gelu, not '${activation}'`);
  const out = runtime.output([rows, n]);
  const groups = new Int32Array(GROUP_WORDS * count);
  for (let s = 0; s < count; s++) {
    const start = ends[s - 1] ?? 0;
    groups.set([start * k, s * k * n, start * n, s * n, ends[s]! - start, k], s * GROUP_WORDS);
  }
  const [a, b, c] = [x, w, out].map((t) => runtime.address(t)) as [number, number, number];
  const product = { transposeA: false, transposeB: transposeW, m: rows / Math.max(1, count), n, k, a, b, c };
  multiply(runtime, { ...product, bias: bias ? runtime.address(bias) : 0, activation: kind, batches: count, groups });
  return out;
}

function segmentWeightGrad(runtime: Runtime, inputs: Inputs, { ends }: SegmentMatMulWeightGradAttrs): tf.TensorInfo {
  const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
  const name = KernelName.SegmentMatMulWeightGrad;
  expectFloat(name, x, dy);
  const [rows, k] = x.shape as [number, number];
  const n = dy.shape[1]!;
  if (x.shape.length !== 2 || dy.shape.length !== 2 || dy.shape[0] !== rows)
    throw refusal(name, `cannot pair the rows of [${x.shape}] and [${dy.shape}]`);
  checkEnds(name, ends, rows, ends.length);
  const out = runtime.output([ends.length, k, n]);
  const groups = new Int32Array(GROUP_WORDS * ends.length);
  for (let s = 0; s < ends.length; s++) {
    const start = ends[s - 1] ?? 0;
    groups.set([start * k, start * n, s * k * n, 0, k, ends[s]! - start], s * GROUP_WORDS);
  }
  const [a, b, c] = [x, dy, out].map((t) => runtime.address(t)) as [number, number, number];
  const product = { transposeA: true, transposeB: false, m: k, n, k: rows / Math.max(1, ends.length), a, b, c };
  multiply(runtime, { ...product, lda: k, ldb: n, batches: ends.length, groups });
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
  over(
    KernelName.SegmentMatMul,
    (runtime) =>
      ({ inputs, attrs }) =>
        segments(runtime, inputs, attrs as unknown as SegmentMatMulAttrs),
  ),
  over(
    KernelName.SegmentMatMulWeightGrad,
    (runtime) =>
      ({ inputs, attrs }) =>
        segmentWeightGrad(runtime, inputs, attrs as unknown as SegmentMatMulWeightGradAttrs),
  ),
];
