import * as tf from '@tensorflow/tfjs-core';
import { checkFloats, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { hasKernel, isRecording, runKernel } from './run.ts';
import type { ConvReluPoolInputs } from './types.ts';

/** Options of `convReluPool`. */
export interface ConvReluPoolOptions {
  readonly pad: 'same' | 'valid';
  /** Of the convolution. Default 1. */
  readonly strides?: number;
  /** Size and stride of the pooling windows; what does not fill a window is left out. Default 1: no pooling. */
  readonly pool?: number;
}

function checkCount(argument: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new KernelArgumentError(KernelName.ConvReluPool, argument, `must be an integer of at least 1, got ${value}.`);
}

/**
 * maxPool(relu(conv2d(x, w) + bias)), NHWC. Differentiable in the tensors.
 *
 * While a gradient is recorded the three run as tfjs's own, as the gradient needs what is between them.
 *
 * @param tensors `x` [B, H, W, C], `w` [kh, kw, C, O], `bias` [O].
 * @returns [B, H′, W′, O].
 * @throws {KernelArgumentError} If a shape does not fit or a tensor is not float32.
 */
export function convReluPool({ x, w, bias }: ConvReluPoolInputs, options: ConvReluPoolOptions): tf.Tensor4D {
  const name = KernelName.ConvReluPool;
  const { pad, strides = 1, pool = 1 } = options;
  checkFloats(name, 'x', x, [null, null, null, null]);
  checkFloats(name, 'w', w, [null, null, x.shape[3]!, null]);
  checkFloats(name, 'bias', bias, [w.shape[3]!]);
  checkCount('strides', strides);
  checkCount('pool', pool);
  if (hasKernel(name) && !isRecording()) {
    return runKernel(name, { x, w, bias }, { strides, pad, pool })[0] as tf.Tensor4D;
  }
  return tf.tidy(() => convReluPoolOfOps({ x, w, bias }, { pad, strides, pool }));
}

/** `convReluPool` as a composition of stock ops. */
export function convReluPoolOfOps(
  { x, w, bias }: ConvReluPoolInputs,
  options: Required<ConvReluPoolOptions>,
): tf.Tensor4D {
  const { pad, strides, pool } = options;
  const filter = w as tf.Tensor4D;
  const active = tf.fused.conv2d({ x: x as tf.Tensor4D, filter, strides, pad, bias, activation: 'relu' });
  return pool === 1 ? active : tf.maxPool(active, pool, pool, 'valid');
}
