import * as tf from '@tensorflow/tfjs-core';
import { differentiable } from '../kernels/index.ts';

/**
 * The same values, through which no gradient flows back.
 *
 * Reverse mode only: a tangent of forward mode passes.
 */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  return differentiable(
    { x },
    () => tf.clone(x),
    (dy) => ({ x: () => tf.zerosLike(dy) }),
  ) as T;
}
