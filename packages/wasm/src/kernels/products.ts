import {
  type AddSignsAttrs,
  type GroupGradientAttrs,
  KernelName,
  type MatMulAccumulateAttrs,
  type MatMulSignsAttrs,
  type MatMulTangentAttrs,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
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

/** Below this many rows or columns a product is no matter of packing. */
const FEW = 4;

function tangent(runtime: Runtime, inputs: Inputs, { transposeA, transposeB }: MatMulTangentAttrs): tf.TensorInfo[] {
  const { a, b, da, db, bias, dbias } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo } & Inputs;
  expectFloat(KernelName.MatMulTangent, a, b, da, db, bias, dbias);
  const [m, n, k] = sizes(KernelName.MatMulTangent, a, b, transposeA, transposeB);
  const [y, dy] = [runtime.output([m, n]), runtime.output([m, n])];
  const at = (x: tf.TensorInfo | undefined): number => (x === undefined ? 0 : runtime.address(x));
  const common = { transposeA, transposeB, m, n, k };
  if (da !== undefined && m > FEW && n > FEW && k > 0) {
    // Both products in one: the weight is packed once.
    const flags = (transposeA ? 1 : 0) | (transposeB ? 2 : 0);
    const sizesAndFactors = [flags, m, n, k, at(a), at(da), transposeA ? m : k, at(b), transposeB ? k : n];
    runtime.run(
      Op.MatMulPair,
      [...sizesAndFactors, at(y), at(dy), at(bias), db === undefined ? at(dbias) : 0],
      runtime.chunks(2 * m * n * k, Math.ceil(n / 16)),
    );
  } else {
    multiply(runtime, { ...common, a: at(a), b: at(b), c: at(y), bias: at(bias) });
    if (da !== undefined) {
      multiply(runtime, { ...common, a: at(da), b: at(b), c: at(dy), bias: db === undefined ? at(dbias) : 0 });
    }
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
  if (k === 1) runtime.run(Op.Outer, [m, n, pa, pb, pc, bits(alpha)], runtime.chunks(m * n, Math.ceil(m / 8)));
  else multiply(runtime, { transposeA, transposeB, m, n, k, a: pa, b: pb, c: pc, alpha, add: true });
  return out;
}

function signProduct(runtime: Runtime, inputs: Inputs, { hi, lo, columns: n }: MatMulSignsAttrs): tf.TensorInfo {
  const { a, into, bias } = inputs as { a: tf.TensorInfo } & Inputs;
  const name = KernelName.MatMulSigns;
  expectFloat(name, a, into, bias);
  const [m, k] = a.shape as [number, number];
  if (a.shape.length !== 2 || (into !== undefined && (into.shape[0] !== m || into.shape[1] !== n))) {
    throw refusal(name, `cannot add [${a.shape}] times ${n} columns to [${into?.shape}]`);
  }
  const out = into === undefined ? runtime.output([m, n]) : runtime.donated(into, [a, into]);
  const [pa, pc, pb] = [a, out, bias].map((x) => (x === undefined ? 0 : runtime.address(x))) as [
    number,
    number,
    number,
  ];
  const args = [into === undefined ? 0 : 1, m, n, k, pa, pc, pb, lo, hi];
  runtime.run(Op.MatMulSigns, args, runtime.chunks(m * n * k, Math.ceil(n / 16)));
  return out;
}

function addSigns(runtime: Runtime, inputs: Inputs, { hi, lo, factor }: AddSignsAttrs): tf.TensorInfo {
  const { p, scale } = inputs as { p: tf.TensorInfo } & Inputs;
  expectFloat(KernelName.AddSigns, p, scale);
  const [k, n] = p.shape as [number, number];
  if (p.shape.length !== 2) throw refusal(KernelName.AddSigns, `takes a matrix, got [${p.shape}]`);
  const out = runtime.replacement(p, [p]);
  // The scalar is in the heap: no read that anybody would have to wait for.
  const measured = scale === undefined ? 1 : runtime.floats[runtime.address(scale) >>> 2]!;
  const args = [k, n, runtime.address(p), runtime.address(out), bits(measured * Math.fround(factor)), lo, hi];
  runtime.run(Op.AddSigns, args, runtime.chunks(k * n, Math.ceil(k / 64)));
  return out;
}

function reluGrad(runtime: Runtime, inputs: Inputs): tf.TensorInfo {
  const { dy, y } = inputs as { dy: tf.TensorInfo; y: tf.TensorInfo };
  expectFloat(KernelName.ReluGrad, dy, y);
  const [n, all] = [y, dy].map((x) => x.shape.reduce((size, extent) => size * extent, 1)) as [number, number];
  const out = runtime.output(dy.shape);
  if (all > 0) {
    const args = [n, all / n, runtime.address(dy), runtime.address(y), runtime.address(out)];
    runtime.run(Op.ReluGrad, args, runtime.chunks(all, Math.ceil(n / 16)));
  }
  return out;
}

function groupGradient(runtime: Runtime, inputs: Inputs, { groupSize }: GroupGradientAttrs): tf.TensorInfo {
  const { u, du, slope } = inputs as { u: tf.TensorInfo; du: tf.TensorInfo; slope: tf.TensorInfo };
  const name = KernelName.GroupGradient;
  expectFloat(name, u, du, slope);
  const [rows, n] = u.shape as [number, number];
  if (u.shape.length !== 2 || [du, slope].some((x) => !tf.util.arraysEqual(x.shape, u.shape))) {
    throw refusal(name, `takes three equal matrices, got [${u.shape}], [${du.shape}] and [${slope.shape}]`);
  }
  const out = runtime.output(u.shape);
  const args = [rows, n, groupSize, ...[u, du, slope, out].map((x) => runtime.address(x))];
  runtime.run(Op.GroupGradient, args, runtime.chunks(2 * rows * n, rows));
  return out;
}

type Kernel<A> = (runtime: Runtime, inputs: Inputs, attrs: A) => tf.TensorInfo | tf.TensorInfo[];

const kernel = <A>(name: KernelName, run: Kernel<A>): Registration =>
  over(
    name,
    (runtime) =>
      ({ inputs, attrs }) =>
        run(runtime, inputs, attrs as unknown as A),
  );

export const productKernels: readonly Registration[] = [
  kernel(KernelName.MatMulTangent, tangent),
  kernel(KernelName.MatMulAccumulate, accumulate),
  kernel(KernelName.MatMulSigns, signProduct),
  kernel(KernelName.AddSigns, addSigns),
  kernel(KernelName.ReluGrad, reluGrad),
  kernel(KernelName.GroupGradient, groupGradient),
];
