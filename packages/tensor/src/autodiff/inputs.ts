import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Tree } from '../seams/index.ts';
import { treeEntries, treeLeaves, treeUnflatten } from '../tree/index.ts';

/** `tf.tidy` for whatever contains tensors. */
export function tidy<T>(f: () => T): T {
  return tf.tidy(f as () => tf.TensorContainer) as T;
}

/** The leaves of a tree without structured leaves. */
export function leavesOf(tree: Tree): tf.Tensor[] {
  return treeLeaves(tree) as tf.Tensor[];
}

/**
 * The tree that a differentiated function gets instead of `primals`.
 *
 * Tensors are cloned (sharing their memory), so that copies which the function captured are constants, as in JAX,
 * and one tensor may stand at two places. Variables stay: functions read them through closures.
 */
export function enter<P extends Tree>(primals: P): P {
  return treeUnflatten(
    primals,
    leavesOf(primals).map((leaf) => (leaf instanceof tf.Variable ? leaf : tf.clone(leaf))),
  );
}

/** @throws {FrugalError} If a leaf cannot be differentiated by. */
export function checkFloat(name: string, tree: Tree): void {
  for (const [path, leaf] of treeEntries(tree)) {
    if (leaf.dtype === 'float32') continue;
    throw new FrugalError(
      'NOT_FLOAT',
      `${name}: ${path === '' ? 'the argument' : `'${path}'`} is ${leaf.dtype}, and only float32 has derivatives. ` +
        'Cast it, or let the function capture it.',
    );
  }
}

/** @throws {FrugalError} If `value` is a promise: its kernels would run after the interpreter or tape has ended. */
export function checkSynchronous(name: string, value: unknown): void {
  if (typeof (value as { then?: unknown } | null | undefined)?.then !== 'function') return;
  (value as Promise<unknown>).then(undefined, () => undefined);
  throw new FrugalError('ASYNC_FUNCTION', `${name}: the function is asynchronous. Await its data before, not inside.`);
}
