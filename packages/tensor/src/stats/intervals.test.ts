import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fillUniform } from '../random/fill.ts';
import { foldIn, key } from '../random/key.ts';
import { bootstrapInterval, wilsonInterval } from './intervals.ts';
import { normalProbability, normalQuantile } from './normal-quantile.ts';
import { kendallTau } from './ranks.ts';
import { mean, standardDeviation } from './summary.ts';

interface Vectors {
  wilson: { k: number; n: number; level: number; interval: [number, number] }[];
  quantiles: { p: number; z: number }[];
  bootstrap: {
    skewed: number[];
    meanPercentile: [number, number];
    meanBca: [number, number];
    sdBca: [number, number];
    paired: [number, number][];
  };
  sd: { mean: number; sd: number };
}

const url = new URL('../../../../tests/vectors/stats.json', import.meta.url);
const vectors = JSON.parse(readFileSync(url, 'utf8')) as Vectors;

describe('summaries', () => {
  it('equal those of NumPy', () => {
    expect(mean(vectors.bootstrap.skewed)).toBeCloseTo(vectors.sd.mean, 13);
    expect(standardDeviation(vectors.bootstrap.skewed)).toBeCloseTo(vectors.sd.sd, 13);
  });

  it('do not lose small numbers in a long list', () => {
    expect(mean(new Float64Array(1e6).fill(0.1))).toBeCloseTo(0.1, 15);
    expect(standardDeviation([1e9 + 1, 1e9 + 2, 1e9 + 3])).toBe(1);
    expect(() => mean([])).toThrow(/at least 1/);
    expect(() => standardDeviation([1])).toThrow(/at least 2/);
  });
});

describe('wilsonInterval', () => {
  it('equals that of SciPy', () => {
    for (const { k, n, level, interval } of vectors.wilson) {
      const { low, high, estimate } = wilsonInterval(k, n, { level });
      expect(estimate).toBe(k / n);
      expect(low).toBeCloseTo(interval[0], 12);
      expect(high).toBeCloseTo(interval[1], 12);
    }
  });

  it('refuses impossible counts', () => {
    for (const [k, n] of [
      [-1, 2],
      [3, 2],
      [0, 0],
      [0.5, 2],
    ] as const)
      expect(() => wilsonInterval(k, n)).toThrow(/integers/);
    expect(() => wilsonInterval(1, 2, { level: 95 })).toThrow(/level must be in \(0, 1\), got 95/);
  });
});

describe('the normal distribution', () => {
  it('has the quantiles of SciPy, and back', () => {
    for (const { p, z } of vectors.quantiles) {
      expect(Math.abs(normalQuantile(p) - z)).toBeLessThanOrEqual(1e-13 * (1 + Math.abs(z)));
      expect(Math.abs(normalProbability(z) - p)).toBeLessThanOrEqual(1e-10 * p);
    }
  });
});

describe('bootstrapInterval', () => {
  const { skewed, paired, ...expected } = vectors.bootstrap;
  const near = ({ low, high }: { low: number; high: number }, [from, to]: [number, number]): void => {
    const width = to - from;
    expect(Math.abs(low - from) / width).toBeLessThan(0.03);
    expect(Math.abs(high - to) / width).toBeLessThan(0.03);
  };

  it('comes near to that of SciPy with 200,000 resamples', () => {
    near(bootstrapInterval(key(1), skewed, mean, { resamples: 20_000 }), expected.meanPercentile);
    near(bootstrapInterval(key(2), skewed, mean, { resamples: 20_000, method: 'bca' }), expected.meanBca);
    near(bootstrapInterval(key(3), skewed, standardDeviation, { resamples: 20_000, method: 'bca' }), expected.sdBca);
  });

  it('covers the truth about as often as it says', () => {
    let covered = 0;
    for (let i = 0; i < 200; i++) {
      const sample = new Float32Array(40);
      fillUniform(foldIn(key(9), i), sample);
      const { low, high } = bootstrapInterval(key(i), Array.from(sample), mean, { resamples: 300 });
      if (low <= 0.5 && 0.5 <= high) covered++;
    }
    expect(covered).toBeGreaterThan(174); // 95 % of 200, five standard deviations down
    expect(covered).toBeLessThan(200);
  });

  it('resamples pairs, the same for the same key', () => {
    const tau = (pairs: readonly [number, number][]): number =>
      kendallTau(
        pairs.map(([x]) => x),
        pairs.map(([, y]) => y),
      );
    const interval = bootstrapInterval(key(5), paired, tau);
    expect(interval.estimate).toBe(tau(paired));
    expect(interval.low).toBeLessThan(interval.estimate);
    expect(interval.high).toBeGreaterThan(interval.estimate);
    expect(bootstrapInterval(key(5), paired, tau)).toEqual(interval);
    expect(bootstrapInterval(key(6), paired, tau)).not.toEqual(interval);
  });

  it('refuses what it cannot resample', () => {
    expect(() => bootstrapInterval(key(0), [1], mean)).toThrow(/at least 2 observations/);
    expect(() => bootstrapInterval(key(0), [1, 2], mean, { resamples: 10 })).toThrow(/at least 100/);
    expect(() => bootstrapInterval(key(0), [1, 2], () => Number.NaN)).toThrow(/statistic is NaN for the data/);
  });
});
