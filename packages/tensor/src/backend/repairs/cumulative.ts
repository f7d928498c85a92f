import * as tf from '@tensorflow/tfjs-core';

/**
 * Gradient of `cumprod`, exact also where factors are zero.
 *
 * y_i = ∏_{j ≤ i} x_j, so dx_k = Σ_{i ≥ k} dy_i y_i / x_k up to the first zero. At the first zero itself the same sum with
 * that factor taken as 1, behind it nothing depends on x.
 */
function cumprodGradient(dy: tf.Tensor, x: tf.Tensor, axis: number, exclusive: boolean, reverse: boolean): tf.Tensor {
  const zero = tf.equal(x, 0);
  const zerosSoFar = tf.cumsum(tf.cast(zero, 'float32'), axis, false, reverse);
  const isFirst = tf.logicalAnd(zero, tf.equal(zerosSoFar, 1));
  const tail = (factors: tf.Tensor): tf.Tensor =>
    tf.cumsum(tf.mul(dy, tf.cumprod(factors, axis, exclusive, reverse)), axis, exclusive, !reverse);
  const one = tf.onesLike(x);
  const before = tf.div(tail(x), tf.where(zero, one, x));
  const atFirst = tf.where(isFirst, tail(tf.where(isFirst, one, x)), tf.zerosLike(x));
  return tf.where(tf.equal(zerosSoFar, 0), before, atFirst);
}

/** Stock permutes the axes of what is already right, unless the axis is the last. */
const cumsum: tf.GradConfig = {
  kernelName: 'Cumsum',
  gradFunc: (dy, _, attrs) => {
    const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean };
    return { x: () => tf.cumsum(dy as tf.Tensor, axis, exclusive, !reverse) };
  },
};

const cumprod: tf.GradConfig = {
  kernelName: 'Cumprod',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const [x] = saved as [tf.Tensor];
    const { axis, exclusive, reverse } = attrs as { axis: number; exclusive: boolean; reverse: boolean };
    return { x: () => cumprodGradient(dy as tf.Tensor, x, axis, exclusive, reverse) };
  },
};

/** The product of all others: of those before it and those behind it. */
function prodGradient(dy: tf.Tensor, x: tf.Tensor, axes: number[]): tf.Tensor {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const moved = tf.transpose(x, order);
  const rows = tf.reshape(moved, [-1, tf.util.sizeFromShape(axes.map((axis) => x.shape[axis]!))]);
  const others = tf.mul(tf.cumprod(rows, 1, true, false), tf.cumprod(rows, 1, true, true));
  const dRows = tf.mul(others, tf.reshape(dy, [-1, 1]));
  return tf.transpose(tf.reshape(dRows, moved.shape), tf.backend_util.getUndoAxesPermutation(order));
}

/** Stock calls methods that tfjs-core alone does not have. */
const prod: tf.GradConfig = {
  kernelName: 'Prod',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const [x] = saved as [tf.Tensor];
    const axes = tf.util.parseAxisParam(attrs.axis as number[], x.shape);
    return { x: () => prodGradient(dy as tf.Tensor, x, axes) };
  },
};

/** `cumsum` is wrong unless the axis is the last; `cumprod` and, in tfjs-core alone, `prod` throw. */
export const cumulativeRepairs = (): tf.GradConfig[] => [cumsum, cumprod, prod];
