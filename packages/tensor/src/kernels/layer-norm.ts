import * as tf from '@tensorflow/tfjs-core';
import { checkFinite, checkFloats, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { differentiable, hasKernel, runKernel } from './run.ts';
import type { LayerNormGradInputs, LayerNormInputs } from './types.ts';

/** Options of `layerNorm`. */
export interface LayerNormOptions {
  /** Added to the variance. */
  readonly epsilon: number;
}

/** y, the mean and 1/σ of the last axis; mean and 1/σ have x's shape without it. */
function forward({ x, scale, offset }: LayerNormInputs, epsilon: number): tf.Tensor[] {
  if (hasKernel(KernelName.LayerNorm)) return runKernel(KernelName.LayerNorm, { x, scale, offset }, { epsilon });
  const mean = tf.mean(x, -1, true);
  const centered = tf.sub(x, mean);
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), epsilon));
  const y = tf.add(tf.mul(tf.mul(centered, rstd), scale), offset);
  const batch = x.shape.slice(0, -1);
  return [y, tf.reshape(mean, batch), tf.reshape(rstd, batch)];
}

/**
 * Layer normalisation over the last axis (arXiv 1607.06450): (x − mean)/√(variance + ε) · scale + offset.
 *
 * Differentiable in the tensors.
 *
 * @param tensors `x` […, D], `scale` [D], `offset` [D].
 * @throws {KernelArgumentError} If a shape does not fit, a tensor is not float32 or `epsilon` is no finite number.
 */
export function layerNorm(tensors: LayerNormInputs, { epsilon }: LayerNormOptions): tf.Tensor {
  const { x, scale, offset } = tensors;
  const name = KernelName.LayerNorm;
  checkFloats(name, 'x', x);
  if (x.rank === 0) throw new KernelArgumentError(name, 'x', 'must have a last axis, got a scalar.');
  const d = x.shape.at(-1)!;
  checkFloats(name, 'scale', scale, [d]);
  checkFloats(name, 'offset', offset, [d]);
  checkFinite(name, { epsilon });
  return differentiable(
    { x, scale, offset },
    (save) => {
      const [y, mean, rstd] = forward(tensors, epsilon);
      save([x, scale, mean!, rstd!]);
      return y!;
    },
    (dy, [x, scale, mean, rstd]) => {
      const [dx, dscale, doffset] = layerNormGrad({ x: x!, scale: scale!, mean: mean!, rstd: rstd!, dy });
      return { x: () => dx, scale: () => dscale, offset: () => doffset };
    },
  );
}

/**
 * The gradients of `layerNorm`.
 *
 * With x̂ = (x − mean)·rstd and g = dy·scale: dx = rstd·(g − mean(g) − x̂·mean(g·x̂)), dscale = Σ dy·x̂, doffset = Σ dy.
 *
 * @param tensors `x`, `dy` […, D], `scale` [D], `mean` and `rstd` […].
 * @returns [dx, dscale, doffset].
 * @throws {KernelArgumentError} If a shape does not fit or a tensor is not float32.
 */
export function layerNormGrad(tensors: LayerNormGradInputs): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const { x, scale, mean, rstd, dy } = tensors;
  const name = KernelName.LayerNormGrad;
  const batch = x.shape.slice(0, -1);
  checkFloats(name, 'x', x);
  checkFloats(name, 'scale', scale, x.shape.slice(-1));
  checkFloats(name, 'dy', dy, x.shape);
  checkFloats(name, 'mean', mean, batch);
  checkFloats(name, 'rstd', rstd, batch);
  if (hasKernel(name)) return runKernel(name, { ...tensors }) as [tf.Tensor, tf.Tensor, tf.Tensor];
  return tf.tidy(() => layerNormGradOfOps(tensors));
}

/** `layerNormGrad` as a composition of stock ops. */
export function layerNormGradOfOps(tensors: LayerNormGradInputs): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const { x, scale, mean, rstd, dy } = tensors;
  const batch = x.shape.slice(0, -1);
  const column = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [...batch, 1]);
  const axes = batch.map((_, axis) => axis);
  const sum = (t: tf.Tensor): tf.Tensor => (axes.length === 0 ? tf.clone(t) : tf.sum(t, axes));
  const normal = tf.mul(tf.sub(x, column(mean)), column(rstd));
  const g = tf.mul(dy, scale);
  const along = tf.mul(normal, tf.mean(tf.mul(g, normal), -1, true));
  const dx = tf.mul(tf.sub(tf.sub(g, tf.mean(g, -1, true)), along), column(rstd));
  return [dx, sum(tf.mul(dy, normal)), sum(dy)];
}
