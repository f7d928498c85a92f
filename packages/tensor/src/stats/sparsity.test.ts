import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { giniIndex, hoyerSparsity } from './sparsity.ts';

const values = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 2, maxLength: 30 });

describe('sparsity', () => {
  it('is 0 for equal magnitudes and greatest for a single one', () => {
    expect(hoyerSparsity([2, -2, 2, 2])).toBeCloseTo(0, 12);
    expect(hoyerSparsity([0, 0, -7, 0])).toBe(1);
    expect(giniIndex([2, -2, 2, 2])).toBeCloseTo(0, 12);
    expect(giniIndex([0, 0, -7, 0])).toBeCloseTo(0.75, 12);
  });

  it('has known values', () => {
    expect(hoyerSparsity([3, 4])).toBeCloseTo((Math.SQRT2 - 7 / 5) / (Math.SQRT2 - 1), 12);
    // Mean absolute difference over twice the mean: (0+1+2+1+0+1+2+1+0)/9 / (2·2).
    expect(giniIndex([1, 2, 3])).toBeCloseTo(2 / 9, 12);
  });

  it('gives Gini as half the relative mean difference', () => {
    fc.assert(
      fc.property(values, (list) => {
        const sizes = list.map(Math.abs);
        const sum = sizes.reduce((a, b) => a + b, 0);
        fc.pre(sum > 1e-6);
        const differences = sizes.reduce((total, a) => total + sizes.reduce((s, b) => s + Math.abs(a - b), 0), 0);
        expect(giniIndex(list)).toBeCloseTo(differences / (2 * list.length * sum), 9);
      }),
    );
  });

  it('does not change with scale, sign or order', () => {
    fc.assert(
      fc.property(values, (list) => {
        fc.pre(list.some((x) => Math.abs(x) > 1e-6));
        const other = list.map((x) => -x * 1e200).reverse();
        expect(hoyerSparsity(other)).toBeCloseTo(hoyerSparsity(list), 9);
        expect(giniIndex(other)).toBeCloseTo(giniIndex(list), 9);
      }),
    );
  });

  it('says nothing about nothing', () => {
    expect(hoyerSparsity([0, 0])).toBeNaN();
    expect(giniIndex([0, 0])).toBeNaN();
    expect(() => hoyerSparsity([1])).toThrow(/at least 2/);
    expect(() => giniIndex([])).toThrow(/at least 1/);
    expect(() => giniIndex([1, Number.NaN])).toThrow(/values\[1\] is NaN/);
  });
});
