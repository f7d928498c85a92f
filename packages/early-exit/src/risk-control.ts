import { FrugalError } from '@frugal/tensor';
import { type Calibration, thresholdCalibration } from './calibrate.ts';
import { exitsOf, type ScoredTable } from './exit-table.ts';

/** What `riskControl` guarantees. */
export interface RiskOptions {
  /** Largest rate of examples that leave with a wrong answer though the whole model is right, in (0, 1). */
  readonly risk: number;
  /** Probability, over calibration sets, that the guarantee fails, in (0, 1). Default 0.1. */
  readonly delta?: number;
  /** Thresholds to test, from careful to daring, the same for every exit. Default: 200 quantiles of the scores. */
  readonly levels?: readonly number[];
}

/** A calibration with its guarantee. */
export interface RiskCalibration extends Calibration {
  /** The bound that the last accepted threshold was shown to keep. */
  readonly bound: number;
}

/** log P(Bin(n, p) ≤ k). */
function logBinomialCdf(k: number, n: number, p: number): number {
  const [logP, logQ] = [Math.log(p), Math.log1p(-p)];
  let logTerm = n * logQ;
  let largest = logTerm;
  const terms = [logTerm];
  for (let i = 1; i <= k; i++) {
    logTerm += Math.log((n - i + 1) / i) + logP - logQ;
    terms.push(logTerm);
    largest = Math.max(largest, logTerm);
  }
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

/** Clopper and Pearson's upper bound: the rate that makes `k` or fewer of `n` as unlikely as `delta`. */
export function upperBound(k: number, n: number, delta: number): number {
  if (k >= n) return 1;
  let [low, high] = [k / n, 1];
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (logBinomialCdf(k, n, middle) > Math.log(delta)) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * Thresholds with a guarantee: with probability 1 − delta over the calibration set, at most `risk` of all examples leave
 * early with a wrong answer where the whole model would have been right.
 *
 * Tests thresholds from careful to daring and stops at the first that fails (fixed-sequence testing, Learn then Test,
 * arXiv 2110.01052; CALM, arXiv 2207.07061).
 *
 * @throws {FrugalError} `BAD_OPTION` for a risk or delta outside of (0, 1).
 */
export function riskControl(table: ScoredTable, { risk, delta = 0.1, levels }: RiskOptions): RiskCalibration {
  for (const [name, value] of Object.entries({ risk, delta })) {
    if (value > 0 && value < 1) continue;
    throw new FrugalError('BAD_OPTION', `riskControl: ${name} must lie between 0 and 1, got ${value}.`);
  }
  const tested = levels ?? quantiles(table, 200);
  const end = table.correct.length - 1;
  let accepted = Number.POSITIVE_INFINITY;
  let bound = 0;
  for (const level of tested) {
    const exits = exitsOf(
      table,
      table.scores.map(() => level),
    );
    let worse = 0;
    for (const [i, exit] of exits.entries()) if (table.correct[end]![i]! > table.correct[exit]![i]!) worse++;
    const upper = upperBound(worse, table.size, delta);
    if (upper > risk) break;
    accepted = level;
    bound = upper;
  }
  return {
    ...thresholdCalibration(
      table,
      table.scores.map(() => accepted),
    ),
    bound,
  };
}

function quantiles({ scores }: ScoredTable, count: number): number[] {
  const all = Float32Array.from(scores.flatMap((column) => [...column])).sort();
  return Array.from(
    { length: count },
    (_, i) => all[Math.max(0, all.length - 1 - Math.floor((i * all.length) / count))]!,
  );
}
