import { FrugalError } from '../errors.ts';
import type { Key } from '../seams/index.ts';
import { boxMuller } from './box-muller.ts';
import { fillBlocks } from './philox.ts';

/** Words made at a time: 16 kB, so that they stay in the first-level cache. */
const CHUNK = 4096;

/**
 * Streams the words from the one with index `first` on (a multiple of 4) to `use`, in runs of whole blocks.
 *
 * `use` gets the words, how many are valid, and how many came before.
 */
function eachChunk(
  key: Key,
  first: number,
  count: number,
  use: (words: Int32Array, valid: number, before: number) => void,
): void {
  const words = new Int32Array(Math.min(CHUNK, Math.ceil(count / 4) * 4));
  for (let before = 0; before < count; before += words.length) {
    const valid = Math.min(words.length, Math.ceil((count - before) / 4) * 4);
    fillBlocks(key, (first + before) / 4, valid / 4, words);
    use(words, valid, before);
  }
}

/** Fills by whole blocks; a start inside a block goes through a longer buffer. */
function aligned<T extends Int32Array | Float32Array>(
  out: T,
  offset: number,
  perBlock: number,
  fill: (out: T, firstBlock: number) => void,
): void {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new FrugalError('BAD_ARGUMENT', `offset must be an integer in [0, 2^53), got ${offset}.`);
  }
  const skip = offset % perBlock;
  const firstBlock = (offset - skip) / perBlock;
  if (skip === 0) {
    fill(out, firstBlock);
    return;
  }
  const longer = new (out.constructor as new (length: number) => T)(out.length + skip);
  fill(longer, firstBlock);
  out.set(longer.subarray(skip));
}

/**
 * Random bits: element e of a key's stream is word (e mod 4) of block ⌊e/4⌋, as a signed 32-bit integer.
 *
 * @param key The key of the stream.
 * @param out Receives elements `offset`, `offset + 1`, …
 * @param offset Index of the first element.
 * @throws {FrugalError} `BAD_ARGUMENT` if `offset` is no integer in [0, 2⁵³).
 */
export function fillBits(key: Key, out: Int32Array, offset = 0): void {
  aligned(out, offset, 4, (to, first) => {
    const whole = Math.floor(to.length / 4);
    fillBlocks(key, first, whole, to);
    if (to.length % 4 === 0) return;
    const rest = new Int32Array(4);
    fillBlocks(key, first + whole, 1, rest);
    to.set(rest.subarray(0, to.length % 4), whole * 4);
  });
}

/**
 * Uniform numbers in [0, 1): (bits >>> 8) · 2⁻²⁴ of the bits of the same element. Arguments as in `fillBits`.
 *
 * @throws {FrugalError} `BAD_ARGUMENT` if `offset` is no integer in [0, 2⁵³).
 */
export function fillUniform(key: Key, out: Float32Array, offset = 0): void {
  aligned(out, offset, 4, (to, first) =>
    eachChunk(key, first * 4, to.length, (words, valid, before) => {
      const n = Math.min(valid, to.length - before);
      for (let i = 0; i < n; i++) to[before + i] = (words[i]! >>> 8) * 2 ** -24;
    }),
  );
}

/**
 * Standard normal numbers by Box–Muller from the words of block ⌊e/4⌋ (docs/random.md gives every operation).
 *
 * |z| ≤ 5.77. Arguments as in `fillBits`.
 *
 * @throws {FrugalError} `BAD_ARGUMENT` if `offset` is no integer in [0, 2⁵³).
 */
export function fillNormal(key: Key, out: Float32Array, offset = 0): void {
  aligned(out, offset, 4, (to, first) => {
    const last = new Float32Array(4);
    eachChunk(key, first * 4, to.length, (words, valid, before) => {
      const whole = Math.min(valid, (to.length - before) & ~3);
      boxMuller(words, 0, whole, to, before);
      if (whole === valid) return;
      boxMuller(words, whole, 4, last, 0);
      to.set(last.subarray(0, to.length % 4), before + whole);
    });
  });
}

const ONE = 0x3f800000; // the bits of 1 in float32

/**
 * Signs ±1 from one bit each: element e is −1 where bit (e mod 32) of word (⌊e/32⌋ mod 4) of block ⌊e/128⌋ is set.
 *
 * Arguments as in `fillBits`.
 *
 * @throws {FrugalError} `BAD_ARGUMENT` if `offset` is no integer in [0, 2⁵³).
 */
export function fillSigns(key: Key, out: Float32Array, offset = 0): void {
  aligned(out, offset, 128, (to, first) => {
    const bits = new Int32Array(to.buffer, to.byteOffset, to.length);
    eachChunk(key, first * 4, Math.ceil(bits.length / 32), (words, valid, before) => {
      for (let w = 0; w < valid; w++) {
        const at = (before + w) * 32;
        const n = Math.min(32, bits.length - at);
        const word = words[w]!;
        for (let b = 0; b < n; b++) bits[at + b] = ONE | ((word << (31 - b)) & 0x80000000);
      }
    });
  });
}
