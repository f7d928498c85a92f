import { FrugalError } from '../errors.ts';
import type { Key } from '../seams/index.ts';
import { Domain, philoxBlock } from './philox.ts';

const TWO32 = 2 ** 32;

/** Low and high word of an integer in [0, 2⁶⁴). */
function words(name: string, value: number | bigint): [low: number, high: number] {
  const valid =
    typeof value === 'bigint' ? value >= 0n && value < 1n << 64n : Number.isSafeInteger(value) && value >= 0;
  if (!valid) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `${name} must be an integer in [0, 2^53), or a bigint in [0, 2^64); got ${String(value)}.`,
    );
  }
  if (typeof value === 'bigint') return [Number(value & 0xffffffffn), Number(value >> 32n)];
  return [value % TWO32, Math.floor(value / TWO32)];
}

/**
 * The key of a seed: `lo` is its low word, `hi` its high word.
 *
 * @param seed An integer in [0, 2⁵³), or a bigint in [0, 2⁶⁴).
 * @throws {FrugalError} `BAD_ARGUMENT` for anything else.
 */
export function key(seed: number | bigint): Key {
  const [lo, hi] = words('seed', seed);
  return { hi, lo };
}

/** Two independent keys from one; the first two of `split(parent, count)`. */
export function split(parent: Key): [Key, Key];
/**
 * `count` independent keys from one; afterwards the parent should not be used for anything else but `foldIn`.
 *
 * Child j is words 0 (`lo`) and 1 (`hi`) of the parent's block with counter (j, 0, 1, 0): it does not depend on `count`.
 *
 * @param parent The key to derive from.
 * @param count How many, in [0, 2³²).
 * @throws {FrugalError} `BAD_ARGUMENT` if `count` is out of range.
 */
export function split(parent: Key, count: number): Key[];
export function split(parent: Key, count = 2): Key[] {
  if (!Number.isInteger(count) || count < 0 || count >= TWO32) {
    throw new FrugalError('BAD_ARGUMENT', `count must be an integer in [0, 2^32), got ${count}.`);
  }
  return Array.from({ length: count }, (_, j) => {
    const [lo, hi] = philoxBlock(parent, [j, 0, Domain.split, 0]);
    return { hi, lo };
  });
}

/**
 * The key that belongs to `data` (a step, an epoch, a layer's index) under a parent key.
 *
 * Words 0 (`lo`) and 1 (`hi`) of the parent's block with counter (low word of `data`, high word, 2, 0).
 *
 * @param parent The key to derive from.
 * @param data An integer in [0, 2⁵³), or a bigint in [0, 2⁶⁴).
 * @throws {FrugalError} `BAD_ARGUMENT` for anything else.
 */
export function foldIn(parent: Key, data: number | bigint): Key {
  const [low, high] = words('data', data);
  const [lo, hi] = philoxBlock(parent, [low, high, Domain.foldIn, 0]);
  return { hi, lo };
}
