import * as tf from '@tensorflow/tfjs-core';
import type { State } from './seams/index.ts';

/** A `State` that can also be listed, copied, loaded and freed. */
export interface ModuleState extends State {
  readonly size: number;
  /** Paths and tensors in the order of first setting; the state goes on owning the tensors. */
  entries(): [path: string, value: tf.Tensor][];
  /** Removes and frees one entry; nothing happens if it is absent. */
  delete(path: string): void;
  /** Replaces everything by copies of `values`. */
  load(values: Readonly<Record<string, tf.Tensor>>): void;
  /** An independent state with the same values; tensors share memory until either is replaced. */
  clone(): ModuleState;
  /** The values by path as new tensors that the caller owns. */
  toRecord(): Record<string, tf.Tensor>;
  /** Frees every tensor and leaves an empty state. */
  dispose(): void;
}

/**
 * Makes a state for `Context.state`: running statistics of batch norm, KV caches.
 *
 * It keeps its tensors, so they outlive any `tf.tidy`; free them with `dispose`.
 *
 * @param values Initial values by path, copied.
 */
export function createState(values: Readonly<Record<string, tf.Tensor>> = {}): ModuleState {
  const held = new Map<string, tf.Tensor>();

  const set = (path: string, value: tf.Tensor): void => {
    const old = held.get(path);
    held.set(path, tf.keep(value));
    if (old !== undefined && old !== value) old.dispose();
  };
  const dispose = (): void => {
    for (const value of held.values()) value.dispose();
    held.clear();
  };
  const copies = (source: Iterable<readonly [string, tf.Tensor]>): [string, tf.Tensor][] =>
    Array.from(source, ([path, value]) => [path, tf.clone(value)]);
  const load = (next: Readonly<Record<string, tf.Tensor>>): void => {
    // Copied before anything is freed: `next` may hold the very tensors of this state.
    const loaded = copies(Object.entries(next));
    dispose();
    for (const [path, value] of loaded) set(path, value);
  };

  load(values);
  return {
    get size(): number {
      return held.size;
    },
    get: (path) => held.get(path),
    set,
    entries: () => [...held],
    delete(path): void {
      held.get(path)?.dispose();
      held.delete(path);
    },
    load,
    clone: () => createState(Object.fromEntries(held)),
    toRecord: () => Object.fromEntries(copies(held)),
    dispose,
  };
}
