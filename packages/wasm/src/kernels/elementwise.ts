import { KernelName } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { ACTIVATION } from './matmul.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

/** An exponential costs about as much as these multiply-adds. */
const EXP_WORK = 8;

function activate(runtime: Runtime, x: tf.TensorInfo, name: string, parameter = 0): tf.TensorInfo {
  const out = runtime.output(x.shape);
  const n = tf.util.sizeFromShape(x.shape);
  const args = [n, runtime.address(x), runtime.address(out), ACTIVATION[name]!, bits(parameter)];
  runtime.run(Op.Activate, args, runtime.chunks(n * EXP_WORK, Math.ceil(n / 1024)));
  return out;
}

/** Numbers of the functions in assembly/elementwise.ts, and what one costs in multiply-adds. */
const UNARY: Readonly<Record<string, readonly [kind: number, work: number]>> = {
  Neg: [0, 1],
  Abs: [1, 1],
  Square: [2, 1],
  Sqrt: [3, 4],
  Rsqrt: [4, 8],
  Reciprocal: [5, 4],
  Exp: [6, EXP_WORK],
  Log: [7, EXP_WORK],
};
const STEP = 8;
const FROM_INT = 9;
const TO_INT = 10;

function unary(
  runtime: Runtime,
  x: tf.TensorInfo,
  kind: number,
  work: number,
  dtype: tf.DataType = 'float32',
  parameter = 0,
): tf.TensorInfo {
  const out = runtime.output(x.shape, dtype);
  const n = tf.util.sizeFromShape(x.shape);
  const args = [n, runtime.address(x), runtime.address(out), kind, bits(parameter)];
  runtime.run(Op.Unary, args, runtime.chunks(n * work, Math.ceil(n / 1024)));
  return out;
}

/** Functions that a matmul may end with; as kernels of their own. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Relu6: 'relu6',
  Elu: 'elu',
  LeakyRelu: 'leakyrelu',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
};

const isFloat = (x: tf.TensorInfo): boolean => x.dtype === 'float32';

function cast(runtime: Runtime, x: tf.TensorInfo, dtype: tf.DataType): tf.TensorInfo | undefined {
  if (x.dtype === dtype) return runtime.share(x);
  if (x.dtype === 'int32' && dtype === 'float32') return unary(runtime, x, FROM_INT, 1);
  if (x.dtype === 'float32' && dtype === 'int32') return unary(runtime, x, TO_INT, 1, 'int32');
  if (x.dtype !== 'bool' || (dtype !== 'float32' && dtype !== 'int32')) return undefined;
  const out = runtime.output(x.shape, dtype);
  const n = tf.util.sizeFromShape(x.shape);
  const args = [n, runtime.address(x), runtime.address(out), dtype === 'int32' ? 1 : 0];
  runtime.run(Op.FromBool, args, runtime.chunks(n, Math.ceil(n / 1024)));
  return out;
}

const stockReplacements: readonly Registration[] = [
  ...Object.entries(UNARY).map(([name, [kind, work]]) =>
    over(name, (runtime, stock) => (call) => {
      const x = call.inputs['x']!;
      return isFloat(x) ? unary(runtime, x, kind, work) : stock(call);
    }),
  ),
  ...Object.entries(ACTIVATIONS).map(([name, activation]) =>
    over(name, (runtime, stock) => (call) => {
      const x = call.inputs['x']!;
      const slope = (call.attrs as { alpha?: number } | undefined)?.alpha ?? 0;
      return isFloat(x) ? activate(runtime, x, activation, slope) : stock(call);
    }),
  ),
  over('Step', (runtime, stock) => (call) => {
    const x = call.inputs['x']!;
    const low = (call.attrs as { alpha?: number } | undefined)?.alpha ?? 0;
    return isFloat(x) ? unary(runtime, x, STEP, 1, 'float32', low) : stock(call);
  }),
  over('Cast', (runtime, stock) => (call) => {
    const { dtype } = call.attrs as unknown as { dtype: tf.DataType };
    return cast(runtime, call.inputs['x']!, dtype) ?? stock(call);
  }),
];

export const elementwiseKernels: readonly Registration[] = [
  ...stockReplacements,
  over(KernelName.Gelu, (runtime) => ({ inputs }) => {
    const x = inputs['x']!;
    expectFloat(KernelName.Gelu, x);
    return activate(runtime, x, 'gelu');
  }),
  over(KernelName.GeluGrad, (runtime) => ({ inputs }) => {
    const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
    expectFloat(KernelName.GeluGrad, x, dy);
    if (!tf.util.arraysEqual(x.shape, dy.shape))
      throw refusal(KernelName.GeluGrad, `takes equal shapes, got [${x.shape}] and [${dy.shape}]`);
    const out = runtime.output(x.shape);
    const n = tf.util.sizeFromShape(x.shape);
    const addresses = [x, dy, out].map((t) => runtime.address(t));
    runtime.run(Op.GeluGrad, [n, ...addresses], runtime.chunks(n * EXP_WORK, Math.ceil(n / 1024)));
    return out;
  }),
];
