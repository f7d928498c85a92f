import * as tf from '@tensorflow/tfjs-core';
import { type Made, type Ops, type Registration, sizeOf } from '../backend/ops.ts';
import { pending, sourceOf } from '../backend/pending.ts';

type Plain = 'float32' | 'int32' | 'bool';
const isPlain = (dtype: string): dtype is Plain => dtype === 'float32' || dtype === 'int32' || dtype === 'bool';

/** The same data once more. */
function alias(ops: Ops, { dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo {
  ops.backend.incRef(dataId);
  return { dataId, shape, dtype };
}

/** A function that gives data another shape; it is done when somebody looks at it. The source is taken over. */
export function reshaper(ops: Ops): (source: Made, shape: number[], dtype: Plain) => tf.TensorInfo {
  const plans = ops.plans(
    (dtype: Plain) => dtype,
    (dtype) => ops.plan('Reshape', [ops.type('T', dtype), ops.type('Tshape', 'int32')]),
  );
  return (source, shape, dtype) => {
    if (tf.util.arraysEqual(source.shape, shape)) return ops.tensor(source, dtype);
    return pending(ops, 'reshape', source, { shape, dtype }, (id) => plans(dtype)(id, ops.vector(shape)).id);
  };
}

export const shapeKernels: readonly Registration[] = [
  {
    name: 'Reshape',
    bind(ops, stock) {
      const reshape = reshaper(ops);
      return (call) => {
        const x = call.inputs['x']!;
        if (!isPlain(x.dtype)) return stock(call);
        const shape = tf.util.inferFromImplicitShape((call.attrs as unknown as { shape: number[] }).shape, sizeOf(x));
        if (tf.util.arraysEqual(shape, x.shape)) return alias(ops, x);
        const from = sourceOf(ops, 'reshape', x) ?? { id: ops.handle(x), shape: x.shape };
        return reshape({ id: ops.share(from.id), shape: from.shape }, shape, x.dtype);
      };
    },
  },
  {
    name: 'Cast',
    bind(ops, stock) {
      return (call) => {
        const x = call.inputs['x']!;
        return (call.attrs as unknown as { dtype: string }).dtype === x.dtype ? alias(ops, x) : stock(call);
      };
    },
  },
];
