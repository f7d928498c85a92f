import * as tf from '@tensorflow/tfjs-core';

/** `shape` with 1 at the axes that are reduced, and how many numbers become one. */
function reduced(shape: readonly number[], axis: unknown): { kept: number[]; size: number } {
  const axes = tf.util.parseAxisParam(axis as number | number[], shape as number[]);
  const kept = shape.map((n, i) => (axes.includes(i) ? 1 : n));
  return { kept, size: tf.util.sizeFromShape(shape as number[]) / tf.util.sizeFromShape(kept) };
}

/** dy over all numbers that were summed. Ones are made on the device: tfjs's copies them from the host. */
function spread(dy: tf.Tensor, kept: number[], shape: number[]): tf.Tensor {
  return tf.mul(tf.reshape(dy, kept), tf.fill(shape, 1));
}

/** `sum` and `mean`: right in tfjs, but see `spread`. */
export const sumRepairs = (): tf.GradConfig[] => [
  {
    kernelName: tf.Sum,
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => {
      const { kept } = reduced(x!.shape, (attrs as unknown as tf.SumAttrs).axis);
      return { x: () => spread(dy as tf.Tensor, kept, x!.shape) };
    },
  },
  {
    kernelName: tf.Mean,
    inputsToSave: ['x'],
    gradFunc: (dy, [x], attrs) => {
      const { kept, size } = reduced(x!.shape, (attrs as unknown as tf.MeanAttrs).axis);
      return { x: () => spread(tf.div(dy as tf.Tensor, size), kept, x!.shape) };
    },
  },
];
