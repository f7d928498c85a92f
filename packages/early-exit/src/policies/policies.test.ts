import { describe, expect, it } from 'vitest';
import { policyContract } from '../testing/index.ts';
import {
  arithmeticEnsemble,
  type ExitPolicy,
  entropyOf,
  fitGate,
  fixedDepth,
  geometricEnsemble,
  learnedGate,
  lowEntropy,
  makePolicy,
  margin,
  maxProbability,
  patience,
  probabilityMargin,
  rowPolicy,
  topProbability,
} from './index.ts';

const gate = [1, 2, 3].map((bias) => [bias, 1, -1, 0.5]);
const policies: Record<string, (thresholds: readonly number[]) => ExitPolicy> = {
  maxProbability,
  lowEntropy,
  margin,
  patience,
  arithmeticEnsemble,
  geometricEnsemble,
  learnedGate: (thresholds) => learnedGate(gate, thresholds),
  fixedDepth: (thresholds) => fixedDepth(1, 3).withThresholds(thresholds),
};

describe.each(Object.entries(policies))('%s keeps the contract', (_, make) => {
  it.each(policyContract(make))('$name', ({ run }) => run());
});

describe('the contract catches a policy that', () => {
  const failing = (make: (thresholds: readonly number[]) => ExitPolicy): string[] =>
    policyContract(make)
      .filter(({ run }) => {
        try {
          run();
          return false;
        } catch {
          return true;
        }
      })
      .map(({ name }) => name);

  it('depends on its neighbours', () => {
    const rank = (thresholds: readonly number[]): ExitPolicy =>
      makePolicy('rank', thresholds, () => ({ score: (_, __, rows) => Float32Array.from(rows, (___, i) => i) }));
    expect(failing(rank)).toEqual(['rates an example by itself, whoever else is there']);
  });

  it('remembers the batch before', () => {
    let calls = 0;
    expect(failing((thresholds) => rowPolicy('count', thresholds, () => calls++))).toContain(
      'starts every batch afresh',
    );
  });

  it('rates with NaN', () => {
    expect(failing((thresholds) => rowPolicy('nan', thresholds, () => Number.NaN))).toEqual([
      'gives every example a score that is a number',
    ]);
  });
});

describe('confidence measures', () => {
  const row = Float32Array.of(Math.log(0.6), Math.log(0.3), Math.log(0.1));

  it('are those of softmax', () => {
    expect(topProbability(row)).toBeCloseTo(0.6, 6);
    expect(probabilityMargin(row)).toBeCloseTo(0.3, 6);
    expect(entropyOf(row)).toBeCloseTo(-(0.6 * Math.log(0.6) + 0.3 * Math.log(0.3) + 0.1 * Math.log(0.1)), 6);
  });

  it('stand large logits', () => {
    const large = Float32Array.of(1000, 0, -1000);
    expect([topProbability(large), probabilityMargin(large), entropyOf(large)]).toEqual([1, 1, 0]);
  });
});

describe('policies with memory', () => {
  const rows = Int32Array.of(0);
  it('patience counts confirmations and starts again at a change', () => {
    const scorer = patience([1, 1, 1]).start(1, 2);
    const said = [
      [1, 0],
      [2, 0],
      [3, 0],
      [0, 1],
    ].map((logits, exit) => scorer.score(exit, Float32Array.from(logits), rows)[0]);
    expect(said).toEqual([0, 1, 2, 0]);
  });

  it.each([
    [arithmeticEnsemble, (0.9 + 0.5) / 2],
    [geometricEnsemble, Math.sqrt(0.9 * 0.5) / (Math.sqrt(0.9 * 0.5) + Math.sqrt(0.1 * 0.5))],
  ])('%o averages what was said', (make, expected) => {
    const scorer = make([1, 1]).start(1, 2);
    scorer.score(0, Float32Array.of(Math.log(0.9), Math.log(0.1)), rows);
    const second = Float32Array.of(Math.log(0.5), Math.log(0.5));
    expect(scorer.score(1, second, rows)[0]).toBeCloseTo(expected, 5);
    expect(topProbability(second)).toBeCloseTo(expected, 5);
  });
});

describe('fitGate', () => {
  it('learns to tell right from wrong answers', () => {
    const n = 400;
    const logits = Float32Array.from({ length: n * 2 }, (_, i) => (i % 2 === 0 ? ((i / 2) % 20) / 5 : 0));
    // Right where the logits lie far apart, with some noise.
    const correct = Uint8Array.from({ length: n }, (_, i) => Number((i % 20) / 5 > 2 !== (i % 17 === 0)));
    const weights = fitGate(logits, correct);
    const scorer = learnedGate([weights], [0.5]).start(n, 2);
    const scores = scorer.score(
      0,
      logits,
      Int32Array.from({ length: n }, (_, i) => i),
    );
    const hits = correct.filter((right, i) => right === Number(scores[i]! > 0.5)).length;
    expect(hits / n).toBeGreaterThan(0.9);
  });
});
