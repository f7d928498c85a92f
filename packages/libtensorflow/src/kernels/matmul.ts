import type * as tf from '@tensorflow/tfjs-core';
import { allFloat, type Made, type Ops, type Plan, type Registration, sizeOf } from '../backend/ops.ts';
import { asMatrix } from '../backend/pending.ts';
import { reshaper } from './shapes.ts';

interface Transposed {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** Elements of a transposed right-hand side from which on `BatchMatMulV2` beats `MatMul` (1024²: 0.79 against 1.24 ms). */
const LARGE = 1 << 16;

/** Products by ranks and transpositions: `MatMul` for matrices, faster but for large transposed right-hand sides. */
function products(ops: Ops): (a: tf.TensorInfo, b: tf.TensorInfo, attrs: Transposed) => Made {
  const plans = (name: string, a: string, b: string): Plan[] =>
    [0, 1, 2, 3].map((i) => ops.plan(name, [...ops.float, ops.bool(a, i >= 2), ops.bool(b, i % 2 === 1)]));
  const [single, batched] = [plans('MatMul', 'transpose_a', 'transpose_b'), plans('BatchMatMulV2', 'adj_x', 'adj_y')];
  return (a, b, { transposeA, transposeB }) => {
    // tfjs reshapes fused operands to one batch: the matrices from before are faster.
    const one = a.shape.length === 3 && b.shape.length === 3 && a.shape[0] === 1 && b.shape[0] === 1;
    const [left, right] = one
      ? [asMatrix(ops, a), asMatrix(ops, b)]
      : [a, b].map((x) => ({ id: ops.handle(x), shape: x.shape }));
    const matrices = left!.shape.length === 2 && right!.shape.length === 2;
    const all = matrices && !(transposeB && sizeOf(b) >= LARGE) ? single : batched;
    return all[(transposeA ? 2 : 0) + (transposeB ? 1 : 0)]!(left!.id, right!.id);
  };
}

/** A product of matrices that tfjs sees as one batch gets that dimension back, for whoever asks. */
function inThreeDimensions(ops: Ops): (made: Made, a: tf.TensorInfo) => tf.TensorInfo {
  const reshape = reshaper(ops);
  return (made, a) =>
    made.shape.length < a.shape.length ? reshape(made, [1, ...made.shape], 'float32') : ops.tensor(made);
}

export const matmulKernels: readonly Registration[] = [
  {
    name: 'BatchMatMul',
    bind(ops, stock) {
      const [product, tensor] = [products(ops), inThreeDimensions(ops)];
      return (call) => {
        const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
        if (!allFloat(a, b)) return stock(call);
        return tensor(product(a, b, call.attrs as unknown as Transposed), a);
      };
    },
  },
  {
    name: '_FusedMatMul',
    bind(ops, stock) {
      const [product, tensor] = [products(ops), inThreeDimensions(ops)];
      const [addBias, relu] = [ops.plan('AddV2'), ops.plan('Relu')];
      return (call) => {
        const { a, b, bias } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo; bias?: tf.TensorInfo };
        const attrs = call.attrs as unknown as Transposed & { activation?: string };
        const { activation = 'linear' } = attrs;
        if (!allFloat(a, b, ...(bias == null ? [] : [bias])) || (activation !== 'linear' && activation !== 'relu')) {
          return stock(call);
        }
        let made = product(a, b, attrs);
        if (bias != null) {
          const sum = addBias(made.id, ops.handle(bias));
          ops.delete(made.id);
          made = sum;
        }
        if (activation === 'relu') {
          const active = relu(made.id);
          ops.delete(made.id);
          made = active;
        }
        return tensor(made, a);
      };
    },
  },
];
