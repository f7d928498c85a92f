import * as tf from '@tensorflow/tfjs-core';
import type { Registration } from '../backend/ops.ts';

const plain = (dtype: string): dtype is 'float32' | 'int32' | 'bool' =>
  dtype === 'float32' || dtype === 'int32' || dtype === 'bool';

export const shapeKernels: readonly Registration[] = [
  {
    name: 'Reshape',
    bind(ops, stock) {
      const plans = ops.plans(
        (dtype: 'float32' | 'int32' | 'bool') => dtype,
        (dtype) => ops.plan('Reshape', [ops.type('T', dtype), ops.type('Tshape', 'int32')]),
      );
      return (call) => {
        const x = call.inputs['x']!;
        if (!plain(x.dtype)) return stock(call);
        const { shape } = call.attrs as unknown as { shape: number[] };
        if (tf.util.arraysEqual(shape, x.shape)) {
          ops.backend.incRef(x.dataId);
          return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
        }
        return ops.tensor(plans(x.dtype)(ops.handle(x), ops.vector(shape)), x.dtype);
      };
    },
  },
  {
    name: 'Cast',
    bind(ops, stock) {
      return (call) => {
        const x = call.inputs['x']!;
        if ((call.attrs as unknown as { dtype: string }).dtype !== x.dtype) return stock(call);
        ops.backend.incRef(x.dataId);
        return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
      };
    },
  },
];
