import fc from 'fast-check';
import { expect, it } from 'vitest';
import { countToCut } from './amount.ts';
import { smallest } from './select.ts';

it('takes the smallest, of equal ones the first, of those alive only: as sorting does', () => {
  const entry = fc.record({ score: fc.integer({ min: 0, max: 6 }), alive: fc.boolean() });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 40 }), fc.nat(45), (entries, count) => {
      const scores = Float32Array.from(entries, ({ score }) => score);
      const alive = Uint8Array.from(entries, (one) => (one.alive ? 1 : 0));
      const expected = entries
        .map((one, i) => ({ ...one, i }))
        .filter((one) => one.alive)
        .sort((a, b) => a.score - b.score || a.i - b.i)
        .slice(0, count)
        .map(({ i }) => i)
        .sort((a, b) => a - b);
      expect(Array.from(smallest(scores, alive, count))).toEqual(expected);
    }),
  );
});

it('refuses to rank by NaN, unless it is cut already', () => {
  const scores = Float32Array.of(3, Number.NaN, 1, 2);
  expect(() => smallest(scores, Uint8Array.of(1, 1, 1, 1), 2)).toThrow(/NaN/);
  expect(Array.from(smallest(scores, Uint8Array.of(1, 0, 1, 1), 2))).toEqual([2, 3]);
});

it('counts what to cut: shares of what is left, halves to even, counts, a sparsity to reach', () => {
  expect([0.5, 0.3].map((share) => countToCut(share, 5, 10))).toEqual([2, 2]);
  expect(countToCut(0.5, 7, 10)).toBe(4);
  expect(countToCut({ count: 3 }, 5, 10)).toBe(3);
  expect([0.9, 0.5, 0.2].map((sparsity) => countToCut({ sparsity }, 5, 10))).toEqual([4, 0, 0]);
  expect(() => countToCut(3, 5, 10)).toThrow(/pass \{ count \}/);
  expect(() => countToCut({ count: 6 }, 5, 10)).toThrow(/5 that are left/);
  expect(() => countToCut({ sparsity: Number.NaN }, 5, 10)).toThrow(/amount.sparsity/);
});
