import { customJvp, differentiable } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

const stopped = customJvp(
  (x: tf.Tensor): tf.Tensor =>
    differentiable(
      { x },
      () => tf.clone(x),
      (dy) => ({ x: () => tf.zerosLike(dy) }),
    ),
  (_, __, out) => tf.zerosLike(out),
);

/** The same values, through which nothing is learnt: no gradient flows back and no tangent forward. */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  return stopped(x) as T;
}

/**
 * The same values, with gradients times `factor` on their way back; forward mode is left as it is.
 *
 * What makes many losses through one point weigh as much as one (BoostNet, arXiv 2211.16726).
 */
export function scaleGradient<T extends tf.Tensor>(x: T, factor: number): T {
  return differentiable(
    { x },
    () => tf.clone(x),
    (dy) => ({ x: () => tf.mul(dy, factor) }),
  ) as T;
}
