import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fillBits, fillNormal, fillSigns, fillUniform } from './fill.ts';
import { fillIntegers, randomPermutation } from './integers.ts';
import { foldIn, key, split } from './key.ts';
import { packedSigns } from './packed-signs.ts';
import { fillBlocks, philoxBlock } from './philox.ts';

const vectors = JSON.parse(readFileSync(new URL('../../../../tests/vectors/random.json', import.meta.url), 'utf8'));
const k = key(42);

describe('Philox4x32-10', () => {
  it('gives the published answers', () => {
    expect(philoxBlock({ hi: 0, lo: 0 }, [0, 0, 0, 0])).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    const ones = 0xffffffff;
    expect(philoxBlock({ hi: ones, lo: ones }, [ones, ones, ones, ones])).toEqual([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ]);
    expect(philoxBlock({ lo: 0xa4093822, hi: 0x299f31d0 }, [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344])).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ]);
  });

  it('fills runs of blocks as it makes single ones', () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(
        word,
        word,
        fc.integer({ min: 0, max: 2 ** 34 }),
        fc.integer({ min: 0, max: 3 }),
        (hi, lo, first, domain) => {
          const out = new Int32Array(12);
          fillBlocks({ hi, lo }, first, 3, out, domain);
          const single = [0, 1, 2].flatMap((i) =>
            philoxBlock({ hi, lo }, [(first + i) % 2 ** 32, Math.floor((first + i) / 2 ** 32), domain, 0]),
          );
          expect(Array.from(new Uint32Array(out.buffer))).toEqual(single);
        },
      ),
    );
  });
});

describe('keys', () => {
  it('split and fold as the vectors say', () => {
    expect(split(k, 4)).toEqual(vectors.split);
    expect(split(k)).toEqual(vectors.split.slice(0, 2));
    for (const { data, lo, hi } of vectors.foldIn) {
      expect(foldIn(k, data)).toEqual({ lo, hi });
      expect(foldIn(k, BigInt(data))).toEqual({ lo, hi });
    }
  });

  it('take both words of a seed', () => {
    expect(key(2 ** 33 + 7)).toEqual({ hi: 2, lo: 7 });
    expect(key(0xffff_ffff_ffff_fffen)).toEqual({ hi: 0xffffffff, lo: 0xfffffffe });
  });

  it('refuse what is no seed', () => {
    for (const bad of [-1, 0.5, Number.NaN, 2 ** 53, -1n, 1n << 64n]) expect(() => key(bad)).toThrow(/seed must be/);
    expect(() => foldIn(k, -1)).toThrow(/data must be/);
    expect(() => split(k, -1)).toThrow(/count must be/);
  });
});

type Vector = { offset: number; values: number[] };

describe('element maps', () => {
  it('give the bits of the vectors', () => {
    for (const { offset, values } of vectors.bits as Vector[]) {
      const out = new Int32Array(values.length);
      fillBits(k, out, offset);
      expect(Array.from(new Uint32Array(out.buffer))).toEqual(values);
    }
    for (const { offset, values } of vectors.uniform as Vector[]) {
      const out = new Float32Array(values.length);
      fillUniform(k, out, offset);
      expect(Array.from(out)).toEqual(values);
    }
    for (const { offset, values } of vectors.normalBits as Vector[]) {
      const out = new Float32Array(values.length);
      fillNormal(k, out, offset);
      expect(Array.from(new Uint32Array(out.buffer))).toEqual(values);
    }
    for (const { offset, values } of vectors.signs as Vector[]) {
      const out = new Float32Array(values.length);
      fillSigns(k, out, offset);
      expect(Array.from(out)).toEqual(values);
    }
    const { rows, columns, values } = vectors.packedSigns;
    expect(Array.from(packedSigns(k, rows, columns))).toEqual(values);
  });

  it('make any range of a stream again', () => {
    for (const fill of [fillUniform, fillNormal, fillSigns]) {
      const all = new Float32Array(9001);
      fill(k, all);
      fc.assert(
        fc.property(fc.nat(8999), fc.nat(4500), (offset, length) => {
          const part = new Float32Array(Math.min(length, 9001 - offset));
          fill(k, part, offset);
          expect(part).toEqual(all.slice(offset, offset + part.length));
        }),
        { numRuns: 20 },
      );
    }
    expect(() => fillUniform(k, new Float32Array(1), -1)).toThrow(/offset must be/);
  });

  it('write into views without touching their neighbours', () => {
    const whole = new Float32Array(300).fill(7);
    fillSigns(k, whole.subarray(3, 200));
    expect(whole.subarray(0, 3)).toEqual(new Float32Array(3).fill(7));
    expect(whole.subarray(200)).toEqual(new Float32Array(100).fill(7));
  });

  it('have the moments of their distributions', () => {
    const n = 1 << 20;
    const z = new Float32Array(n);
    const moment = (p: number) => z.reduce((sum, x) => sum + x ** p, 0) / n;
    fillNormal(k, z);
    // Five standard errors each.
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
    const share = (limit: number) => z.reduce((count, x) => count + (Math.abs(x) > limit ? 1 : 0), 0) / n;
    expect(Math.abs(share(2) - 0.0455)).toBeLessThan(5 * Math.sqrt(0.0455 / n));
    expect(Math.abs(share(3) - 0.0027)).toBeLessThan(5 * Math.sqrt(0.0027 / n));
    let lag = 0;
    for (let i = 1; i < n; i++) lag += z[i]! * z[i - 1]!;
    expect(Math.abs(lag / n)).toBeLessThan(5 / Math.sqrt(n));
    fillSigns(k, z);
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(n));
    expect(moment(2)).toBe(1);
    fillUniform(k, z);
    expect(Math.abs(moment(1) - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    expect(z.every((x) => x >= 0 && x < 1)).toBe(true);
  });
});

describe('integers', () => {
  it('give the bits of the vectors', () => {
    const { min, max, values, wide } = vectors.integers;
    const out = new Int32Array(values.length);
    fillIntegers(k, out, min, max);
    expect(Array.from(out)).toEqual(values);
    fillIntegers(k, out, -(2 ** 31), 2 ** 31);
    expect(Array.from(out)).toEqual(wide);
    expect(() => fillIntegers(k, out, 3, 3)).toThrow(/min < max/);
    expect(() => fillIntegers(k, out, 0, 2 ** 31 + 1)).toThrow(/min < max/);
  });

  it('scale 64 bits exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.nat(1000), (range, seed) => {
        const [bits, out] = [new Int32Array(2), new Int32Array(1)];
        const min = -Math.min(range, 2 ** 31);
        fillBits(key(seed), bits);
        fillIntegers(key(seed), out, min, min + range);
        const [upper, lower] = new Uint32Array(bits.buffer);
        const x = (BigInt(upper!) << 32n) + BigInt(lower!);
        expect(out[0]).toBe(min + Number((x * BigInt(range)) >> 64n));
      }),
    );
  });

  it('permute without bias', () => {
    expect(Array.from(randomPermutation(k, 33))).toEqual(vectors.permutation);
    expect(Array.from(randomPermutation(k, 0))).toEqual([]);
    expect(Array.from(randomPermutation(k, 1))).toEqual([0]);
    const order = randomPermutation(k, 10000);
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: 10000 }, (_, i) => i));
    const counts = new Map<string, number>();
    for (const child of split(k, 6000)) {
      const found = randomPermutation(child, 3).join('');
      counts.set(found, (counts.get(found) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(1000));
    expect(() => randomPermutation(k, -1)).toThrow(/n must be/);
  });
});
