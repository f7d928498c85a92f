import * as tf from '@tensorflow/tfjs-core';
import { checkFloats, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { hasKernel, runKernel } from './run.ts';
import type { GroupGradientInputs } from './types.ts';

/**
 * An estimate of a gradient per row from a direction u that moves an activity by u̇, group by group of neighbours:
 *
 *     g[b, j] = u[b, j] · [u̇[b, j] ≠ 0] · Σ over i in the group of j  u̇[b, i] · slope[b, i]
 *
 * Every group is multiplied by its own directional derivative. With ±1 in `u` and groups of one it is slope · u̇ · u, the exact
 * gradient; larger groups share a derivative. Where the activity does not move, the gradient is 0.
 *
 * @param tensors `u` the direction, `du` how the activity moves along it, `slope` ∂loss/∂activity: all [B, N] float32.
 * @param groupSize Neighbours that share a derivative, at least 1; the last group may be shorter.
 * @throws {KernelArgumentError} If a shape, a dtype or the size does not fit.
 * arXiv 2210.03310
 */
export function groupGradient({ u, du, slope }: GroupGradientInputs, groupSize: number): tf.Tensor2D {
  const name = KernelName.GroupGradient;
  checkFloats(name, 'u', u, [null, null]);
  checkFloats(name, 'du', du, u.shape);
  checkFloats(name, 'slope', slope, u.shape);
  if (!Number.isSafeInteger(groupSize) || groupSize < 1) {
    throw new KernelArgumentError(name, 'groupSize', `must be an integer of at least 1, got ${groupSize}.`);
  }
  if (hasKernel(name)) return runKernel(name, { u, du, slope }, { groupSize })[0] as tf.Tensor2D;
  return tf.tidy(() => groupGradientOfOps({ u, du, slope }, groupSize));
}

/** `groupGradient` as a composition of stock ops. */
export function groupGradientOfOps({ u, du, slope }: GroupGradientInputs, groupSize: number): tf.Tensor2D {
  const [batch, units] = u.shape as [number, number];
  const groups = Math.ceil(units / groupSize);
  const padding = groups * groupSize - units;
  const grouped = (x: tf.Tensor): tf.Tensor => {
    const ends: [number, number][] = [
      [0, 0],
      [0, padding],
    ];
    return tf.reshape(padding === 0 ? x : tf.pad(x, ends), [batch, groups, groupSize]);
  };
  const sums = tf.sum(grouped(tf.mul(du, slope)), 2, true);
  // Of absolute values, as stock wasm compares element by element in a slow loop.
  const moving = tf.mul(u, tf.step(tf.abs(du)));
  const g = tf.reshape(tf.mul(grouped(moving), sums), [batch, groups * groupSize]) as tf.Tensor2D;
  return padding === 0 ? g : tf.slice(g, [0, 0], [batch, units]);
}
