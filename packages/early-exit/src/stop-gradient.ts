import { customJvp, differentiable } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The same values, through which nothing is learnt: no gradient flows back and no tangent forward. */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  // Made here and not once: work at import would keep bundlers from leaving it out.
  const stop = customJvp(
    (y: tf.Tensor): tf.Tensor =>
      differentiable(
        { y },
        () => tf.clone(y),
        (dy) => ({ y: () => tf.zerosLike(dy) }),
      ),
    (_, __, out) => tf.zerosLike(out),
  );
  return stop(x) as T;
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
