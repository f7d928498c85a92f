import type { Key } from '../seams/index.ts';

/** What a block is for; the third counter word. Streams of different domains never meet. */
export const Domain = { stream: 0, split: 1, foldIn: 2, packedSigns: 3 } as const;

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const WEYL0 = 0x9e3779b9;
const WEYL1 = 0xbb67ae85;

/** High half of the unsigned product a · (mh·2¹⁶ + ml), from 16-bit halves: no intermediate leaves 32 bits. */
export function high(a: number, mh: number, ml: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const u = (Math.imul(ah, ml) + (Math.imul(al, ml) >>> 16)) | 0;
  const v = (Math.imul(al, mh) + (u & 0xffff)) | 0;
  return (Math.imul(ah, mh) + (u >>> 16) + (v >>> 16)) | 0;
}

/**
 * One block of Philox4x32-10 (Salmon et al., SC 2011): four 32-bit words for a counter of four.
 *
 * @param key Key words: k0 = `lo`, k1 = `hi`.
 * @param counter Words c0 … c3.
 * @returns Words 0 … 3, unsigned.
 */
export function philoxBlock(
  key: Key,
  counter: readonly [number, number, number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let k0 = key.lo | 0;
  let k1 = key.hi | 0;
  for (let round = 0; round < 10; round++) {
    const h0 = high(c0, M0 >>> 16, M0 & 0xffff);
    const h1 = high(c2, M1 >>> 16, M1 & 0xffff);
    const l0 = Math.imul(c0, M0);
    const l1 = Math.imul(c2, M1);
    c0 = h1 ^ c1 ^ k0;
    c1 = l1;
    c2 = h0 ^ c3 ^ k1;
    c3 = l0;
    k0 = (k0 + WEYL0) | 0;
    k1 = (k1 + WEYL1) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

/**
 * Writes the words of `count` consecutive blocks of a stream into `out`.
 *
 * c1 … c3 do not change within a run of blocks, so half of each of the first two rounds is computed once.
 */
export function fillBlocks(
  key: Key,
  first: number,
  count: number,
  out: Int32Array,
  domain: number = Domain.stream,
): void {
  let done = 0;
  while (done < count) {
    const block = first + done;
    const low = block % 2 ** 32;
    const run = Math.min(count - done, 2 ** 32 - low); // until c0 wraps
    fillRun(key.lo | 0, key.hi | 0, low, Math.floor(block / 2 ** 32), domain, run, out, done * 4);
    done += run;
  }
}

function fillRun(
  lo: number,
  hi: number,
  first: number,
  c1: number,
  c2: number,
  count: number,
  out: Int32Array,
  at: number,
): void {
  // Round 0 gives c0' = second0, c1' = low1, both constant; round 1 multiplies c0'.
  const low1 = Math.imul(c2, M1);
  const second0 = high(c2, M1 >>> 16, M1 & 0xffff) ^ c1 ^ lo;
  const secondHigh = high(second0, M0 >>> 16, M0 & 0xffff);
  const secondLow = Math.imul(second0, M0);
  const lo1 = (lo + WEYL0) | 0;
  const hi1 = (hi + WEYL1) | 0;
  const lo2 = (lo1 + WEYL0) | 0;
  const hi2 = (hi1 + WEYL1) | 0;
  let o = at | 0;
  for (let i = 0; i < count; i++) {
    const counter = (first + i) | 0;
    const x = high(counter, M0 >>> 16, M0 & 0xffff) ^ hi;
    let c0 = high(x, M1 >>> 16, M1 & 0xffff) ^ low1 ^ lo1;
    let c1 = Math.imul(x, M1);
    let c2 = secondHigh ^ Math.imul(counter, M0) ^ hi1;
    let c3 = secondLow;
    let k0 = lo2;
    let k1 = hi2;
    for (let round = 2; round < 10; round++) {
      const h0 = high(c0, M0 >>> 16, M0 & 0xffff);
      const h1 = high(c2, M1 >>> 16, M1 & 0xffff);
      const l0 = Math.imul(c0, M0);
      const l1 = Math.imul(c2, M1);
      c0 = h1 ^ c1 ^ k0;
      c1 = l1;
      c2 = h0 ^ c3 ^ k1;
      c3 = l0;
      k0 = (k0 + WEYL0) | 0;
      k1 = (k1 + WEYL1) | 0;
    }
    out[o] = c0;
    out[o + 1] = c1;
    out[o + 2] = c2;
    out[o + 3] = c3;
    o += 4;
  }
}
