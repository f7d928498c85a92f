import { FrugalError, type Tree, treeEntries } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

/** A transformation breaks the contract; the message says which rule, where, and what it got. */
export class ContractViolation extends FrugalError {
  constructor(message: string) {
    super('CONTRACT_VIOLATION', message);
  }
}

/**
 * @throws {ContractViolation} Unless `condition` holds.
 */
export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new ContractViolation(message);
}

/** A tensor read to the host. */
export interface Saved {
  readonly shape: number[];
  readonly dtype: tf.DataType;
  readonly values: ArrayLike<number>;
}

/** A tree read to the host, by path: all that a checkpoint would hold. */
export type Snapshot = Readonly<Record<string, Saved>>;

/** Reads a tree; its tensors stay. */
export async function snapshot(tree: Tree): Promise<Snapshot> {
  const entries = treeEntries(tree).map(async ([path, leaf]): Promise<[string, Saved]> => {
    const values = Array.from((await leaf.data()) as ArrayLike<number>);
    return [path, { shape: leaf.shape.slice(), dtype: leaf.dtype, values }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * Compares names, shapes, types and values within `tolerance`, relative to 1 + |expected|; 0 asks for equal bits.
 *
 * @throws {ContractViolation} Naming the first path that differs, and how.
 */
export function demandEqual(what: string, actual: Snapshot, expected: Snapshot, tolerance: number): void {
  demandSameForm(what, actual, expected);
  for (const [path, { values }] of Object.entries(expected)) {
    const got = actual[path]!.values;
    for (let i = 0; i < values.length; i++) {
      const [a, b] = [got[i]!, values[i]!];
      const close = Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * (1 + Math.abs(b));
      demand(close, `${what}: '${path}'[${i}] must be ${b}, got ${a} (tolerance ${tolerance}).`);
    }
  }
}

/**
 * Compares names, shapes and types.
 *
 * @throws {ContractViolation} Naming the first path that differs, and how.
 */
export function demandSameForm(what: string, actual: Snapshot, expected: Snapshot): void {
  const [got, wanted] = [Object.keys(actual), Object.keys(expected)];
  demand(got.join() === wanted.join(), `${what}: the leaves must be [${wanted}], got [${got}].`);
  for (const [path, { shape, dtype }] of Object.entries(expected)) {
    const leaf = actual[path]!;
    const same = leaf.dtype === dtype && leaf.shape.join() === shape.join();
    demand(same, `${what}: '${path}' must be ${dtype} [${shape}], got ${leaf.dtype} [${leaf.shape}].`);
  }
}

/** Whether all numbers of a snapshot are finite. */
export function allFinite(saved: Snapshot): boolean {
  return Object.values(saved).every(({ values }) => Array.from(values).every(Number.isFinite));
}
