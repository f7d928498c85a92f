import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kendallTau, ranks, spearman } from './ranks.ts';

interface Case {
  x: number[];
  y: number[];
  ranks: number[];
  spearman: number | null;
  kendall: number | null;
}

const url = new URL('../../../../tests/vectors/stats.json', import.meta.url);
const cases = (JSON.parse(readFileSync(url, 'utf8')) as { ranks: Case[] }).ranks;

const expectNear = (actual: number, expected: number | null): void => {
  if (expected === null) expect(actual).toBeNaN();
  else expect(Math.abs(actual - expected)).toBeLessThan(1e-12);
};

/** τ-b from its definition, over all pairs. */
function tauOverPairs(x: number[], y: number[]): number {
  let [sum, inX, inY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [Math.sign(x[i]! - x[j]!), Math.sign(y[i]! - y[j]!)];
      sum += a * b;
      inX += a * a;
      inY += b * b;
    }
  }
  return sum / Math.sqrt(inX) / Math.sqrt(inY);
}

describe('rank statistics', () => {
  it('equal those of SciPy', () => {
    for (const { x, y, ...expected } of cases) {
      expect(Array.from(ranks(x))).toEqual(expected.ranks);
      expectNear(spearman(x, y), expected.spearman);
      expectNear(kendallTau(x, y), expected.kendall);
    }
  });

  it('follow the definition of τ-b with many ties', () => {
    const pairs = fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(pairs, (list) => {
        const [x, y] = [list.map(([a]) => a), list.map(([, b]) => b)];
        const expected = tauOverPairs(x, y);
        expectNear(kendallTau(x, y), Number.isNaN(expected) ? null : expected);
        expectNear(kendallTau(y, x), Number.isNaN(expected) ? null : expected);
      }),
    );
  });

  it('do not change under growing maps', () => {
    const values = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 30 });
    fc.assert(
      fc.property(values, (x) => {
        const y = x.map((_, i) => (i * 7) % x.length);
        const grown = x.map((v) => Math.exp(v / 3));
        expect(kendallTau(grown, y)).toEqual(kendallTau(x, y));
        expect(spearman(grown, y)).toEqual(spearman(x, y));
      }),
    );
  });

  it('take 100,000 observations in a second', () => {
    const n = 100_000;
    const x = Float64Array.from({ length: n }, (_, i) => (i * 7919) % 1009);
    const y = Float64Array.from({ length: n }, (_, i) => (i * 104729) % 99991);
    const start = process.cpuUsage();
    kendallTau(x, y);
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1e6, 'seconds of processor time').toBeLessThan(1);
  });

  it('refuse what has no rank', () => {
    expect(() => ranks([1, Number.NaN])).toThrow(/values\[1\] is NaN/);
    expect(() => kendallTau([1, 2], [1, 2, 3])).toThrow(/equally long, got 2 and 3/);
    expect(() => spearman([1], [1])).toThrow(/at least 2/);
    expect(spearman([1, 1], [1, 2])).toBeNaN();
    expect(kendallTau([1, 2], [3, 3])).toBeNaN();
  });
});
