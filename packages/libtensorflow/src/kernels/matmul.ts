import type * as tf from '@tensorflow/tfjs-core';
import { allFloat, type Ops, type Plan, type Registration } from '../backend/ops.ts';

interface Transposed {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** BatchMatMulV2 by its transpositions; `MatMul` is slower for transposed operands. */
function products(ops: Ops): (attrs: Transposed) => Plan {
  const plan = (a: boolean, b: boolean): Plan =>
    ops.plan('BatchMatMulV2', [...ops.float, ops.bool('adj_x', a), ops.bool('adj_y', b)]);
  const all = [plan(false, false), plan(false, true), plan(true, false), plan(true, true)];
  return ({ transposeA, transposeB }) => all[(transposeA ? 2 : 0) + (transposeB ? 1 : 0)]!;
}

export const matmulKernels: readonly Registration[] = [
  {
    name: 'BatchMatMul',
    bind(ops, stock) {
      const product = products(ops);
      return (call) => {
        const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
        if (!allFloat(a, b)) return stock(call);
        return ops.tensor(product(call.attrs as unknown as Transposed)(ops.handle(a), ops.handle(b)));
      };
    },
  },
  {
    name: '_FusedMatMul',
    bind(ops, stock) {
      const product = products(ops);
      const [addBias, relu] = [ops.plan('AddV2'), ops.plan('Relu')];
      return (call) => {
        const { a, b, bias } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo; bias?: tf.TensorInfo };
        const attrs = call.attrs as unknown as Transposed & { activation?: string };
        const { activation = 'linear' } = attrs;
        if (!allFloat(a, b, ...(bias == null ? [] : [bias])) || (activation !== 'linear' && activation !== 'relu')) {
          return stock(call);
        }
        let made = product(attrs)(ops.handle(a), ops.handle(b));
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
        return ops.tensor(made);
      };
    },
  },
];
