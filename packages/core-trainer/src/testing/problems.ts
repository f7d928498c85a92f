import { type Tree, valueAndGrad } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Something small to minimise; its minimum is 0. */
export interface Problem<P extends Tree = Tree> {
  readonly name: string;
  /** Where it starts; the caller owns it. */
  start(): P;
  /** A scalar ≥ 0. */
  loss(params: P): tf.Tensor;
}

/** Numbers without a pattern, the same on every machine. */
export function wobble(size: number, phase: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * phase));
}

const target = (shape: number[], phase: number): tf.Tensor =>
  tf.tensor(wobble(tf.util.sizeFromShape(shape), phase), shape);
const distance = (x: tf.Tensor, phase: number): tf.Tensor => tf.sum(tf.square(tf.sub(x, target(x.shape, phase))));

/** Σ (x − t)², from zero. */
const parabola: Problem<{ x: tf.Tensor }> = {
  name: 'parabola',
  start: () => ({ x: tf.zeros([3]) }),
  loss: ({ x }) => distance(x, 1),
};

/** (1 − x)² + 100·(y − x²)²: a bent valley. */
const rosenbrock: Problem<{ x: tf.Tensor; y: tf.Tensor }> = {
  name: 'Rosenbrock',
  start: () => ({ x: tf.scalar(0), y: tf.scalar(0) }),
  loss: ({ x, y }) => tf.add(tf.square(tf.sub(1, x)), tf.mul(tf.square(tf.sub(y, tf.square(x))), 100)),
};

/** ‖A·W − A·T‖² / 8: least squares in a matrix. */
const matrix: Problem<{ weight: tf.Tensor }> = {
  name: 'matrix',
  start: () => ({ weight: tf.zeros([4, 3]) }),
  loss: ({ weight }) => {
    const inputs = target([8, 4], 2) as tf.Tensor2D;
    return tf.div(tf.sum(tf.square(tf.matMul(inputs, tf.sub(weight, target([4, 3], 3)) as tf.Tensor2D))), 8);
  },
};

/** A scalar, a vector, a matrix and a rank-3 tensor in a nested tree. */
export const mixed: Problem<{ scale: tf.Tensor; layers: { weight: tf.Tensor; bias: tf.Tensor }[]; kernel: tf.Tensor }> =
  {
    name: 'mixed tree',
    start: () => ({
      scale: tf.scalar(0),
      layers: [{ weight: tf.zeros([3, 2]), bias: tf.zeros([2]) }],
      kernel: tf.zeros([2, 2, 3]),
    }),
    loss: ({ scale, layers, kernel }) =>
      tf.addN([distance(scale, 4), distance(layers[0]!.weight, 5), distance(layers[0]!.bias, 6), distance(kernel, 7)]),
  };

/** The problems that an optimizer must solve. */
export const problems: readonly Problem[] = [parabola, rosenbrock, matrix, mixed];

/** Loss and gradient of a problem; the caller owns both. */
export function evaluate<P extends Tree>(problem: Problem<P>, params: P): { loss: tf.Scalar; grads: P } {
  const [loss, grads] = valueAndGrad((p: P) => problem.loss(p))(params);
  return { loss, grads };
}
