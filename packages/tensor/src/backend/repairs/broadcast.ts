import * as tf from '@tensorflow/tfjs-core';

/** Sums `x` over the axes along which `shape` was broadcast to become the shape of `x`. */
export function sumTo(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  if (tf.util.arraysEqual(x.shape, shape as number[])) return x;
  const axes = tf.broadcast_util.getReductionAxes(shape as number[], x.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(x, axes) : x, shape as number[]);
}

/** tfjs's own gradient of a kernel of two inputs that broadcast, with the sums that it forgets. */
function withSums(kernelName: string): tf.GradConfig {
  const stock = tf.getGradient(kernelName)!;
  return {
    ...stock,
    gradFunc: (dy, saved, attrs) => {
      const [a, b] = saved as [tf.Tensor, tf.Tensor];
      const { a: derA, b: derB } = stock.gradFunc(dy, saved, attrs) as Record<'a' | 'b', () => tf.Tensor>;
      return { a: () => sumTo(derA(), a.shape), b: () => sumTo(derB(), b.shape) };
    },
  };
}

/** `maximum`, `minimum` and `squaredDifference` of different shapes, `matMul` of different batches: stock throws. */
export const broadcastRepairs = (): tf.GradConfig[] =>
  ['Maximum', 'Minimum', 'SquaredDifference', 'BatchMatMul'].map(withSums);
