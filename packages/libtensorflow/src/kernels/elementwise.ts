import * as tf from '@tensorflow/tfjs-core';
import { allFloat, type Ops, type Registration } from '../backend/ops.ts';
import { pending, sourceOf } from '../backend/pending.ts';

/** tfjs's kernels of one float tensor, and TensorFlow's operations that they are. */
const UNARY: Readonly<Record<string, string>> = {
  ...{ Abs: 'Abs', Ceil: 'Ceil', Cos: 'Cos', Elu: 'Elu', Erf: 'Erf', Exp: 'Exp', Expm1: 'Expm1', Floor: 'Floor' },
  ...{ Log: 'Log', Log1p: 'Log1p', Neg: 'Neg', Reciprocal: 'Reciprocal', Relu: 'Relu', Relu6: 'Relu6', Rsqrt: 'Rsqrt' },
  ...{
    Sigmoid: 'Sigmoid',
    Sign: 'Sign',
    Sin: 'Sin',
    Softplus: 'Softplus',
    Sqrt: 'Sqrt',
    Square: 'Square',
    Tanh: 'Tanh',
  },
};

/** Of two. */
const BINARY: Readonly<Record<string, string>> = {
  ...{ Add: 'AddV2', Sub: 'Sub', RealDiv: 'RealDiv', Maximum: 'Maximum', Minimum: 'Minimum' },
  ...{ SquaredDifference: 'SquaredDifference', Pow: 'Pow' },
};

/** x where `tensor` is a step(x) that nobody has looked at, of the shape of `other`. */
function stepOf(ops: Ops, tensor: tf.TensorInfo, other: tf.TensorInfo): number | undefined {
  return tf.util.arraysEqual(tensor.shape, other.shape) ? sourceOf(ops, 'step', tensor)?.id : undefined;
}

type Two = { a: tf.TensorInfo; b: tf.TensorInfo };

export const elementwiseKernels: readonly Registration[] = [
  ...Object.entries(UNARY).map(
    ([name, operation]): Registration => ({
      name,
      bind(ops, stock) {
        const run = ops.plan(operation);
        return (call) => {
          const x = call.inputs['x']!;
          return x.dtype === 'float32' ? ops.tensor(run(ops.handle(x))) : stock(call);
        };
      },
    }),
  ),
  ...Object.entries(BINARY).map(
    ([name, operation]): Registration => ({
      name,
      bind(ops, stock) {
        const run = ops.plan(operation);
        return (call) => {
          const { a, b } = call.inputs as Two;
          return allFloat(a, b) ? ops.tensor(run(ops.handle(a), ops.handle(b))) : stock(call);
        };
      },
    }),
  ),
  {
    name: 'Multiply',
    bind(ops, stock) {
      const run = ops.plan('Mul');
      const reluGradient = ops.plan('ReluGrad');
      return (call) => {
        const { a, b } = call.inputs as Two;
        if (!allFloat(a, b)) return stock(call);
        // dy · step(x), as tfjs has it, is one operation of TensorFlow's.
        const [left, right] = [stepOf(ops, a, b), stepOf(ops, b, a)];
        if (right !== undefined) return ops.tensor(reluGradient(ops.handle(a), right));
        if (left !== undefined) return ops.tensor(reluGradient(ops.handle(b), left));
        return ops.tensor(run(ops.handle(a), ops.handle(b)));
      };
    },
  },
  {
    name: 'Step',
    bind(ops, stock) {
      const [sign, relu] = [ops.plan('Sign'), ops.plan('Relu')];
      return (call) => {
        const x = call.inputs['x']!;
        const { alpha } = call.attrs as unknown as { alpha: number };
        if (x.dtype !== 'float32' || alpha !== 0) return stock(call);
        const shared = { id: ops.share(ops.handle(x)), shape: x.shape };
        return pending(ops, 'step', shared, x, (source) => {
          const signs = sign(source).id;
          const { id } = relu(signs);
          ops.delete(signs);
          return id;
        });
      };
    },
  },
];
