import * as tf from '@tensorflow/tfjs-core';
import { checkFloats } from './check.ts';
import { KernelName } from './names.ts';
import { differentiable, hasKernel, runKernel } from './run.ts';
import type { GeluGradInputs } from './types.ts';

const ROOT = Math.sqrt(2 / Math.PI);
const CUBE = 0.044715;

/** The tanh form is x·σ(2√(2/π)·(x + 0.044715 x³)), and σ keeps its digits far below zero, where 1 + tanh has none. */
function logit(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.add(tf.mul(tf.square(x), 2 * ROOT * CUBE), 2 * ROOT));
}

/**
 * GELU in its tanh form (arXiv 1606.08415): ½x·(1 + tanh(√(2/π)·(x + 0.044715 x³))). Differentiable.
 *
 * @param x Any shape, float32.
 * @throws {KernelArgumentError} If `x` is not float32.
 */
export function gelu(x: tf.Tensor): tf.Tensor {
  checkFloats(KernelName.Gelu, 'x', x);
  return differentiable(
    { x },
    (save) => {
      save([x]);
      if (hasKernel(KernelName.Gelu)) return runKernel(KernelName.Gelu, { x })[0]!;
      return tf.mul(x, tf.sigmoid(logit(x)));
    },
    (dy, [x]) => ({ x: () => geluGrad({ x: x!, dy }) }),
  );
}

/**
 * The gradient of `gelu`: dy · gelu′(x).
 *
 * @throws {KernelArgumentError} If the shapes differ or a tensor is not float32.
 */
export function geluGrad({ x, dy }: GeluGradInputs): tf.Tensor {
  checkFloats(KernelName.GeluGrad, 'x', x);
  checkFloats(KernelName.GeluGrad, 'dy', dy, x.shape);
  if (hasKernel(KernelName.GeluGrad)) return runKernel(KernelName.GeluGrad, { x, dy })[0]!;
  return tf.tidy(() => geluGradOfOps({ x, dy }));
}

/** `geluGrad` as a composition of stock ops. */
export function geluGradOfOps({ x, dy }: GeluGradInputs): tf.Tensor {
  const z = logit(x);
  const slope = tf.add(tf.mul(tf.square(x), 6 * ROOT * CUBE), 2 * ROOT);
  const rest = tf.mul(tf.mul(x, slope), tf.sigmoid(tf.neg(z)));
  return tf.mul(dy, tf.mul(tf.sigmoid(z), tf.add(rest, 1)));
}
