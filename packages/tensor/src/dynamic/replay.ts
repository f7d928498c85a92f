import * as tf from '@tensorflow/tfjs-core';
import { interpret, type KernelHandler } from '../interpret/index.ts';
import type { State } from '../seams/index.ts';

interface Entry {
  readonly name: string;
  readonly outputs: readonly tf.Tensor[];
  readonly list: boolean;
}

/** A program that stops and starts again. */
export interface Replay {
  /** Runs it from the start; kernels that an earlier attempt ran give what they gave then, uncomputed. */
  attempt<R>(program: () => R): R;
  /** Frees what was remembered. */
  dispose(): void;
}

/**
 * Remembers the kernels of a program in their order, so that it can be run again after it stopped half-way (for an
 * answer that has to be awaited) without computing anything twice.
 *
 * The program must run the same kernels up to where it stopped.
 */
export function createReplay(): Replay {
  const log: Entry[] = [];
  let at = 0;
  const forget = (): void => {
    for (const { outputs } of log.splice(at)) tf.dispose(outputs as tf.Tensor[]);
  };
  const handler: KernelHandler = {
    kernel(name, inputs, attrs, next) {
      if (log[at] !== undefined && log[at]!.name !== name) forget();
      const known = log[at++];
      if (known !== undefined) {
        const copies = known.outputs.map((output) => tf.clone(output));
        return known.list ? copies : copies[0]!;
      }
      const made = next(name, inputs, attrs);
      const outputs = (Array.isArray(made) ? made : [made]).map((output) => tf.keep(tf.clone(output)));
      log.push({ name, outputs, list: Array.isArray(made) });
      return made;
    },
  };
  return {
    attempt(program) {
      at = 0;
      return interpret(handler, program);
    },
    dispose() {
      at = 0;
      forget();
    },
  };
}

/** A state whose changes can be taken or left: an attempt that stops must not have moved a cache on. */
export interface PendingState extends State {
  commit(): void;
  discard(): void;
}

/** Collects what is set on top of `base`. */
export function pendingState(base: State): PendingState {
  const pending = new Map<string, tf.Tensor>();
  return {
    get: (path) => pending.get(path) ?? base.get(path),
    set(path, value) {
      const old = pending.get(path);
      pending.set(path, tf.keep(value));
      if (old !== undefined && old !== value) old.dispose();
    },
    commit() {
      for (const [path, value] of pending) base.set(path, value);
      pending.clear();
    },
    discard() {
      for (const value of pending.values()) value.dispose();
      pending.clear();
    },
  };
}
