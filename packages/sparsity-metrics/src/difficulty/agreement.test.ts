import { fillNormal, kendallTau, key, spearman } from '@frugal/tensor';
import { describe, expect, it } from 'vitest';
import { agreementSvg } from '../pictures/agreement-svg.ts';
import { agreement } from './agreement.ts';
import { costsOf, difficulty } from './difficulty.ts';

function normals(seed: number, count: number): Float32Array {
  const out = new Float32Array(count);
  fillNormal(key(seed), out);
  return out;
}

/** What `seed` sees of a common difficulty, with noise. */
function observed(truth: ArrayLike<number>, noise: number, seed: number): number[] {
  const noisy = normals(seed, truth.length);
  return Array.from(truth, (value, i) => value + noise * noisy[i]!);
}

describe('difficulty and agreement', () => {
  const truth = normals(1, 120);
  const other = normals(2, 120);

  it('joins batches, and ranks examples by their mean rank over the runs', () => {
    expect(costsOf([{ cost: [3, 1] }, { cost: [2] }])).toEqual([3, 1, 2]);
    const runs = [
      [30, 10, 20],
      [1, 2, 3],
    ];
    expect(Array.from(difficulty(runs))).toEqual([0.5, 0.25, 0.75]);
    expect(() => difficulty([[1, 2], [1]])).toThrow(/run 1 has 1 scores/);
    expect(() => difficulty([])).toThrow(/at least one run/);
    const many = [1, 2, 3, 4, 5, 6].map((seed) => observed(truth, 1, seed + 10));
    expect(spearman(difficulty(many), truth)).toBeGreaterThan(spearman(many[0]!, truth));
  });

  it('finds methods that share a difficulty at their ceiling, and others at none', () => {
    const methods = {
      exits: [11, 12, 13].map((seed) => observed(truth, 0.5, seed)),
      experts: [21, 22, 23].map((seed) => observed(truth, 0.5, seed)),
      other: [31, 32, 33].map((seed) => observed(other, 0.5, seed)),
    };
    const { ceilings, pairs } = agreement(methods, { key: key(5), resamples: 100 });
    const own = [
      [0, 1],
      [0, 2],
      [1, 2],
    ].map(([a, b]) => kendallTau(methods.exits[a!]!, methods.exits[b!]!));
    expect(ceilings.exits!.estimate).toBeCloseTo((own[0]! + own[1]! + own[2]!) / 3, 12);
    const [same, apart] = pairs;
    expect(same!.methods).toEqual(['exits', 'experts']);
    expect(Math.abs(same!.correlation.estimate - same!.ceiling)).toBeLessThan(0.1);
    expect(same!.correlation.low).toBeGreaterThan(0.3);
    expect(apart!.correlation.low).toBeLessThan(0.1);
    expect(apart!.correlation.estimate).toBeLessThan(0.2);
  });

  it('keeps runs that share a backbone apart', () => {
    const backbones = [61, 62, 63].map((seed) => normals(seed, truth.length));
    const runs = (from: number) => backbones.map((own, i) => observed(own, 0.3, from + i));
    const methods = { exits: runs(70), experts: runs(80) };
    const { pairs } = agreement(methods, { key: key(7), resamples: 100, related: true });
    expect(pairs[0]!.related!.low).toBeGreaterThan(0.6);
    expect(Math.abs(pairs[0]!.correlation.estimate)).toBeLessThan(0.2);
    const all = agreement(methods, { key: key(7), resamples: 100 }).pairs[0]!;
    expect(all.related).toBeUndefined();
    expect(all.correlation.estimate).toBeCloseTo(
      (pairs[0]!.related!.estimate * 3 + pairs[0]!.correlation.estimate * 6) / 9,
      12,
    );
  });

  it('draws the matrix: ceilings on the diagonal, each pair once above and, against its ceiling, once below', () => {
    const methods = {
      'exits & more': [11, 12].map((seed) => observed(truth, 0.5, seed)),
      experts: [21, 22].map((seed) => observed(truth, 0.5, seed)),
      single: [observed(other, 0.5, 31)],
    };
    const found = agreement(methods, { key: key(8), resamples: 100 });
    const svg = agreementSvg(found);
    expect(svg.match(/<rect/g)).toHaveLength(10); // and the paper
    expect(svg).toContain('exits &amp; more');
    const { estimate, low, high } = found.pairs[0]!.correlation;
    expect(svg).toContain(`>${estimate.toFixed(2)}</text>`);
    expect(svg).toContain(`${low.toFixed(2)} to ${high.toFixed(2)}`);
    expect(svg).toContain(`>${(estimate / found.pairs[0]!.ceiling).toFixed(2)}</text>`);
    expect(svg).toContain(`>${found.ceilings.experts!.estimate.toFixed(2)}</text>`);
    expect(svg).not.toContain('NaN');
  });

  it('does not take a class effect for agreement within the classes', () => {
    const classes = truth.map((_, i) => i % 3);
    const effect = Array.from(classes, (one) => 10 * one);
    const methods = { a: [observed(effect, 1, 41)], b: [observed(effect, 1, 42)] };
    const overall = agreement(methods, { key: key(6), resamples: 100 });
    const within = agreement(methods, { key: key(6), resamples: 100, classes });
    expect(overall.pairs[0]!.correlation.estimate).toBeGreaterThan(0.6);
    expect(Math.abs(within.pairs[0]!.correlation.estimate)).toBeLessThan(0.2);
    expect(overall.ceilings.a).toBeUndefined();
    expect(overall.pairs[0]!.ceiling).toBeNaN();
    expect(() => agreement(methods, { key: key(1), classes: [1] })).toThrow(/one per example/);
  });
});
