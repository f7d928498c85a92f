import { fillUniform, key, randomPermutation } from '@frugal/tensor';
import { describe, expect, it } from 'vitest';
import {
  auroc,
  calibrateAccuracy,
  calibrateBudget,
  calibrationError,
  exitCurve,
  exitsOf,
  oracle,
  outcomeOf,
  riskControl,
  type ScoredTable,
  upperBound,
} from './index.ts';

/** A set whose examples have a difficulty: an exit is right the more often the deeper it is, and knows it, roughly. */
function table(size: number, seed: number): ScoredTable {
  const random = new Float32Array(size * 7);
  fillUniform(key(seed), random);
  const skill = [0.7, 0.9, 0.97];
  const scores = [0, 1].map(() => new Float32Array(size));
  const correct = skill.map(() => new Uint8Array(size));
  for (let i = 0; i < size; i++) {
    const difficulty = random[i * 7]!;
    for (const [exit, share] of skill.entries()) {
      correct[exit]![i] = Number(difficulty < share + 0.1 * (random[i * 7 + 1 + exit]! - 0.5));
      if (exit < 2) scores[exit]![i] = 1 - difficulty + 0.2 * random[i * 7 + 4 + exit]! + 0.1 * exit;
    }
  }
  const costs = { segments: [90, 400, 500], heads: [10, 10, 0], cumulative: [100, 510, 1010], full: 990 };
  return { size, costs, scores, correct };
}

/** `count` random examples of a table. */
function draw(from: ScoredTable, count: number, seed: number): ScoredTable {
  const rows = randomPermutation(key(seed), from.size).subarray(0, count);
  return {
    ...{ size: count, costs: from.costs },
    scores: from.scores.map((column) => Float32Array.from(rows, (row) => column[row]!)),
    correct: from.correct.map((column) => Uint8Array.from(rows, (row) => column[row]!)),
  };
}

describe('calibration', () => {
  const validation = table(10_000, 1);
  const test = table(10_000, 2);
  const few = table(2000, 3);
  const full = outcomeOf(few, exitsOf(few, [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]));

  it.each([0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9])(
    'meets a budget of %f of the whole cost, also on fresh data',
    (share) => {
      const budget = share * 1010;
      const { thresholds, cost, accuracy } = calibrateBudget(validation, budget);
      expect(Math.abs(cost / budget - 1)).toBeLessThan(0.005);
      const fresh = outcomeOf(test, exitsOf(test, thresholds));
      expect(Math.abs(fresh.cost / budget - 1)).toBeLessThan(0.03);
      expect(accuracy).toBeGreaterThan(0.7);
    },
  );

  it('is at least as good as one threshold for all exits', () => {
    for (const level of [0.5, 0.7, 0.9]) {
      const uniform = outcomeOf(few, exitsOf(few, [level, level]));
      const chosen = calibrateBudget(few, uniform.cost);
      expect(chosen.accuracy).toBeGreaterThanOrEqual(uniform.accuracy - 0.004);
    }
  });

  it('keeps the accuracy that was asked for, at less cost', () => {
    for (const slack of [0, 0.005, 0.02]) {
      const { accuracy, cost } = calibrateAccuracy(few, slack);
      expect(accuracy).toBeGreaterThanOrEqual(full.accuracy - slack);
      expect(cost).toBeLessThan(full.cost);
    }
  });

  it('uses all the slack that there is: nobody could leave more at its one exit', () => {
    const one = { ...few, scores: [few.scores[1]!], correct: few.correct.slice(1) };
    const costs = { segments: [490, 500], heads: [20, 0], cumulative: [510, 1010], full: 990 };
    const single = { ...one, costs };
    const whole = outcomeOf(single, exitsOf(single, [Number.POSITIVE_INFINITY])).accuracy;
    for (const slack of [0, 0.003, 0.01]) {
      const { shares } = calibrateAccuracy(single, slack);
      const sorted = [...single.scores[0]!].sort((a, b) => b - a);
      const allowed = sorted.filter((_, i) => {
        if (i % 4 !== 3) return false;
        const { accuracy } = outcomeOf(single, exitsOf(single, [sorted[i]!]));
        return accuracy >= whole - slack;
      });
      const most = sorted.indexOf(allowed.at(-1) ?? Number.NaN) + 1;
      expect(Math.abs(shares[0]! - most / single.size)).toBeLessThanOrEqual(1 / 500);
    }
  });

  it('stays below the oracle', () => {
    const { curve, oracle: best } = exitCurve(few, 5);
    expect(best).toEqual(oracle(few));
    expect(curve[0]!.cost).toBeCloseTo(100, 3);
    expect(curve[4]!.cost).toBeCloseTo(1010, 3);
    for (const { accuracy, shares } of curve) {
      expect(accuracy).toBeLessThanOrEqual(best.accuracy);
      expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    }
  });

  it('says which budgets there are', () => {
    expect(() => calibrateBudget(validation, 50)).toThrow(/\[100, 1010\].*got 50/);
  });
});

describe('risk control', () => {
  it('bounds a rate as Clopper and Pearson do', () => {
    expect(upperBound(0, 100, 0.05)).toBeCloseTo(1 - 0.05 ** 0.01, 8);
    // SciPy 1.17.1: beta.ppf(0.9, 4, 47)
    expect(upperBound(3, 50, 0.1)).toBeCloseTo(0.1287564225866019, 8);
    expect(upperBound(5, 5, 0.1)).toBe(1);
  });

  it('breaks its promise no more often than it says, over 200 random splits of a pool', () => {
    const [risk, delta] = [0.02, 0.1];
    const population = table(4000, 3);
    const end = population.correct.length - 1;
    let violations = 0;
    let early = 0;
    for (let seed = 0; seed < 200; seed++) {
      const { thresholds, shares } = riskControl(draw(population, 600, 100 + seed), { risk, delta });
      const exits = exitsOf(population, thresholds);
      let worse = 0;
      for (const [i, exit] of exits.entries()) {
        if (population.correct[end]![i]! > population.correct[exit]![i]!) worse++;
      }
      violations += Number(worse / population.size > risk);
      early += (1 - shares[end]!) / 200;
    }
    expect(violations / 200).toBeLessThanOrEqual(delta + 2 * Math.sqrt((delta * (1 - delta)) / 200));
    expect(early, 'it lets somebody leave').toBeGreaterThan(0.2);
  });

  it('refuses what is no probability', () => {
    expect(() => riskControl(table(10, 1), { risk: 0 })).toThrow(/risk.*got 0/);
  });
});

describe('reports', () => {
  it('measure calibration and ranking', () => {
    expect(calibrationError(Float32Array.of(0.9, 0.9, 0.1, 0.1), Uint8Array.of(1, 1, 0, 0))).toBeCloseTo(0.1, 6);
    expect(auroc(Float32Array.of(0.1, 0.4, 0.35, 0.8), Uint8Array.of(0, 0, 1, 1))).toBeCloseTo(0.75, 6);
    expect(auroc(Float32Array.of(1, 1, 1, 1), Uint8Array.of(0, 1, 0, 1))).toBe(0.5);
  });
});
