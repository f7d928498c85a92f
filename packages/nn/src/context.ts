import { type Context, foldIn, type Module, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Joins a path and a name as safetensors does: `'blocks.0'` + `'norm1'` → `'blocks.0.norm1'`; empty parts vanish. */
export function joinPath(path: string | undefined, name: string): string {
  if (path === undefined || path === '') return name;
  return name === '' ? path : `${path}.${name}`;
}

/**
 * The context of a container's child: `name` appended to the path, key `foldIn(key, index)`.
 *
 * @param index Which child it is; siblings need different ones, or they would share randomness.
 */
export function childContext(ctx: Context | undefined, name: string, index: number): Context | undefined {
  if (ctx === undefined) return undefined;
  return { ...ctx, path: joinPath(ctx.path, name), key: ctx.key && foldIn(ctx.key, index) };
}

/** Applies a container's child under `childContext` in a tidy of its own, and reports its output to the taps. */
export function applyChild<P extends Tree, O extends tf.Tensor>(
  module: Module<P, tf.Tensor, O>,
  params: P,
  x: tf.Tensor,
  ctx: Context | undefined,
  name: string,
  index: number,
): O {
  const child = childContext(ctx, name, index);
  const y = tf.tidy(() => module.apply(params, x, child));
  if (child?.taps !== undefined) child.taps.set(child.path ?? '', y);
  return y;
}

/**
 * Runs `steps` one after the other, each in a tidy, and lets each intermediate result go as soon as the next is there.
 *
 * Peak memory without a tape is then that of the largest step, however many there are; a tape keeps what it needs itself.
 *
 * @returns A new tensor, also for no steps.
 */
export function runSteps(x: tf.Tensor, steps: readonly ((h: tf.Tensor) => tf.Tensor)[]): tf.Tensor {
  let h = x;
  for (const step of steps) {
    let next: tf.Tensor;
    try {
      next = tf.tidy(() => step(h));
    } catch (error) {
      if (h !== x) h.dispose();
      throw error;
    }
    if (h !== x && next !== h) h.dispose();
    h = next;
  }
  return h === x ? x.clone() : h;
}
