import * as tf from '@tensorflow/tfjs-core';
import { checkFloats, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { differentiable, hasKernel, isRecording, runKernel } from './run.ts';
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
 * While a gradient is recorded, pooling is a step of its own, as the gradient needs what it chose from. Backward there is one pass over
 * the large images: with ẏ′ = ẏ·[y > 0], small, the pooling's gradient of ẏ′ is that of the sum, and Σ ẏ′ that of the bias.
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
  const geometry = { pad, strides, pool };
  if (isRecording() && CONVOLUTIONS.every((kernel) => tf.getKernel(kernel, tf.getBackend()) != null)) {
    return recorded({ x, w, bias }, geometry);
  }
  return tf.tidy(() => convReluPoolOfOps({ x, w, bias }, geometry));
}

const CONVOLUTIONS = ['FusedConv2D', 'Conv2DBackpropFilter', 'MaxPoolGrad'];

const run = (name: string, inputs: tf.NamedTensorMap, attrs: object): tf.Tensor4D =>
  tf.engine().runKernel(name, inputs, attrs as tf.NamedAttrMap) as tf.Tensor4D;

/** `convReluPool` with a gradient of its own. */
function recorded({ x, w, bias }: ConvReluPoolInputs, options: Required<ConvReluPoolOptions>): tf.Tensor4D {
  const { pad, strides, pool } = options;
  const convolution = { strides, pad, dataFormat: 'NHWC', dilations: [1, 1] };
  const pooling = { filterSize: pool, strides: pool, pad: 'valid' };
  return differentiable(
    { x, w, bias },
    (save) => {
      const active = run('FusedConv2D', { x, filter: w, bias }, { ...convolution, activation: 'relu' });
      const y = pool === 1 ? active : tf.maxPool(active, pool, pool, 'valid');
      save(pool === 1 ? [x, w, y] : [x, w, y, active]);
      return y;
    },
    (dy, [x, w, y, active]) => {
      const masked = tf.mul(dy, tf.step(y!)) as tf.Tensor4D;
      const sum = active ? run('MaxPoolGrad', { dy: masked, input: active, output: y! }, pooling) : masked;
      return {
        x: () => tf.conv2dTranspose(sum, w as tf.Tensor4D, x!.shape as tf.Tensor4D['shape'], strides, pad),
        w: () => run('Conv2DBackpropFilter', { x: x!, dy: sum }, { ...convolution, filterShape: w!.shape }),
        bias: () => tf.sum(masked, [0, 1, 2]),
      };
    },
  ) as tf.Tensor4D;
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
