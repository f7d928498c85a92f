import * as tf from '@tensorflow/tfjs-core';
import type { Registration } from '../backend/ops.ts';

/** Whether all axes but the last go, as in the gradient of a bias. */
function leavesLast(axes: readonly number[], rank: number): boolean {
  return rank >= 2 && rank <= 5 && axes.length === rank - 1 && !axes.includes(rank - 1);
}

const reduction = (name: 'Sum' | 'Mean' | 'Max' | 'Min'): Registration => ({
  name,
  bind(ops, stock) {
    const plans = [false, true].map((keep) =>
      ops.plan(name, [ops.bool('keep_dims', keep), ...ops.float, ops.type('Tidx', 'int32')]),
    );
    const columns = ops.plan('BiasAddGrad', [...ops.float, ops.string('data_format', 'NHWC')]);
    return (call) => {
      const x = call.inputs['x']!;
      if (x.dtype !== 'float32') return stock(call);
      const { axis, reductionIndices, keepDims } = call.attrs as unknown as {
        axis?: number | number[];
        reductionIndices?: number | number[];
        keepDims: boolean;
      };
      const axes = tf.util.parseAxisParam(axis ?? reductionIndices ?? [...x.shape.keys()], x.shape);
      const handle = ops.handle(x);
      if (name === 'Sum' && !keepDims && leavesLast(axes, x.shape.length)) return ops.tensor(columns(handle));
      return ops.tensor(plans[keepDims ? 1 : 0]!(handle, ops.vector(axes)));
    };
  },
});

export const reduceKernels: readonly Registration[] = [
  reduction('Sum'),
  reduction('Mean'),
  reduction('Max'),
  reduction('Min'),
];
