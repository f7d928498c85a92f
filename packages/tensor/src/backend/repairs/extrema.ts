import * as tf from '@tensorflow/tfjs-core';

/**
 * Gradient of `max` and `min` over axes: equal values share it equally.
 *
 * Stock gives the whole gradient to each of them, which is no subgradient.
 */
function extremum(kernelName: 'Max' | 'Min'): tf.GradConfig {
  return {
    kernelName,
    inputsToSave: ['x'],
    outputsToSave: [true],
    gradFunc: (dy, saved, attrs) => {
      const [x, y] = saved as [tf.Tensor, tf.Tensor];
      // The two kernels name the same attribute differently.
      const axes = tf.util.parseAxisParam((attrs.reductionIndices ?? attrs.axis) as number[], x.shape);
      const kept = tf.backend_util.expandShapeToKeepDim(
        x.shape.filter((_, axis) => !axes.includes(axis)),
        axes,
      );
      return {
        x: () => {
          const winners = tf.cast(tf.equal(x, tf.reshape(y, kept)), 'float32');
          const share = tf.div(tf.reshape(dy as tf.Tensor, kept), tf.sum(winners, axes, true));
          return tf.mul(winners, share);
        },
      };
    },
  };
}

export const extremumRepairs = (): tf.GradConfig[] => [extremum('Max'), extremum('Min')];
