import { FrugalError } from '../errors.ts';
import type { Key } from '../seams/index.ts';
import { fillBits } from './fill.ts';
import { high } from './philox.ts';

/** ⌊(upper·2³² + lower)·range / 2⁶⁴⌋ for 32-bit words and a range in [1, 2³²]. */
function scale(upper: number, lower: number, range: number): number {
  if (range === 2 ** 32) return upper >>> 0;
  const carry = (Math.imul(upper, range) >>> 0) + (high(lower, range >>> 16, range & 0xffff) >>> 0);
  return (high(upper, range >>> 16, range & 0xffff) >>> 0) + (carry >= 2 ** 32 ? 1 : 0);
}

/**
 * Integers in [min, max), all equally likely to within 2⁻³² of their probability: 64 bits each, multiplied down.
 *
 * @param key The key of the stream.
 * @param out Receives them.
 * @param min The least, at least −2³¹.
 * @param max Above the greatest, min < max ≤ 2³¹.
 * @throws {FrugalError} `BAD_ARGUMENT` if the bounds are no such integers.
 */
export function fillIntegers(key: Key, out: Int32Array, min: number, max: number): void {
  if (!Number.isInteger(min) || !Number.isInteger(max) || min < -(2 ** 31) || max > 2 ** 31 || min >= max) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `min and max must be integers with -2^31 <= min < max <= 2^31, got ${min}, ${max}.`,
    );
  }
  const bits = new Int32Array(2 * out.length);
  fillBits(key, bits);
  for (let i = 0; i < out.length; i++) out[i] = min + scale(bits[2 * i]!, bits[2 * i + 1]!, max - min);
}

/**
 * A uniformly random order of 0 … n−1 (Fisher–Yates), on the host.
 *
 * @param key One key, one permutation.
 * @param n How many, in [0, 2³¹).
 * @throws {FrugalError} `BAD_ARGUMENT` if `n` is out of range.
 */
export function randomPermutation(key: Key, n: number): Uint32Array {
  if (!Number.isInteger(n) || n < 0 || n >= 2 ** 31) {
    throw new FrugalError('BAD_ARGUMENT', `n must be an integer in [0, 2^31), got ${n}.`);
  }
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const bits = new Int32Array(2 * Math.max(0, n - 1));
  fillBits(key, bits);
  for (let i = n - 1, e = 0; i > 0; i--, e += 2) {
    const j = scale(bits[e]!, bits[e + 1]!, i + 1);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}
