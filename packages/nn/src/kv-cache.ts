import { type Context, FrugalError, type State } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { whereIs } from './checks.ts';
import { joinPath } from './context.ts';

const names = { keys: 'key_cache', values: 'value_cache' };

/**
 * Opens an empty key–value cache for each attention at `paths`, so that these remember what they have seen.
 *
 * From then on each call at inference with this state takes its input as what follows: positions go on, and earlier keys
 * and values are attended to. Without an open cache attention keeps nothing, also where a state is given.
 */
export function openCache(state: State, paths: readonly string[]): void {
  for (const path of paths) {
    state.set(joinPath(path, names.keys), tf.zeros([0]));
    state.set(joinPath(path, names.values), tf.zeros([0]));
  }
}

/** How many positions the cache at `path` holds; undefined where none is open. */
export function cacheLength(state: State, path: string): number | undefined {
  const keys = state.get(joinPath(path, names.keys));
  return keys && (keys.size === 0 ? 0 : keys.shape[3]!);
}

/**
 * Forgets all positions from `length` on, as speculative decoding does with rejected tokens.
 *
 * @throws {FrugalError} If no cache is open at a path, or it is shorter.
 */
export function truncateCache(state: State, paths: readonly string[], length: number): void {
  for (const path of paths) {
    const held = cacheLength(state, path);
    if (held === undefined || !(length >= 0 && length <= held)) {
      const got = held === undefined ? 'no cache is open there' : `it holds ${held} positions`;
      throw new FrugalError('BAD_CACHE', `truncateCache: cannot cut '${path}' to ${length}: ${got}.`);
    }
    if (length === held) continue;
    if (length === 0) {
      openCache(state, [path]);
      continue;
    }
    const keys = state.get(joinPath(path, names.keys))!;
    const values = state.get(joinPath(path, names.values))!;
    const [heads, batch, dim] = keys.shape as [number, number, number];
    state.set(joinPath(path, names.keys), tf.slice(keys, [0, 0, 0, 0], [heads, batch, dim, length]));
    state.set(joinPath(path, names.values), tf.slice(values, [0, 0, 0, 0], [heads, batch, length, dim]));
  }
}

/** Whether the attention applied under `ctx` has an open cache, and how long it is. */
export function openLength(ctx: Context | undefined): number | undefined {
  if (ctx?.state === undefined || ctx.train) return undefined;
  return cacheLength(ctx.state, ctx.path ?? '');
}

/** Appends keys [heads, B, size, T] and values [heads, B, T, size] to the cache of `ctx`; returns all, which the state owns. */
export function extendCache(ctx: Context, keys: tf.Tensor, values: tf.Tensor): { keys: tf.Tensor; values: tf.Tensor } {
  const state = ctx.state!;
  const append = (name: string, next: tf.Tensor, axis: number): tf.Tensor => {
    const path = joinPath(ctx.path, name);
    const old = state.get(path)!;
    if (old.size > 0 && old.shape[1] !== next.shape[1]) {
      throw new FrugalError(
        'BAD_CACHE',
        `${whereIs('attention', ctx)} has a cache for a batch of ${old.shape[1]}, got ${next.shape[1]}. Open a new one.`,
      );
    }
    const all = old.size === 0 ? next.clone() : tf.concat([old, next], axis);
    state.set(path, all);
    return all;
  };
  return { keys: append(names.keys, keys, 3), values: append(names.values, values, 2) };
}
