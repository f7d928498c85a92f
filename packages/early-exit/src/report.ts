import { calibrateBudget } from './calibrate.ts';
import {
  type ExitTable,
  exitsOf,
  type Outcome,
  oracle,
  outcomeOf,
  type ScoredTable,
  scoreTable,
} from './exit-table.ts';
import { type ExitPolicy, maxProbability, topProbability } from './policies/index.ts';

/** How good one exit is by itself, over all examples. */
export interface HeadReport {
  readonly accuracy: number;
  /** Expected calibration error of the largest probability, 15 bins of equal width (arXiv 1706.04599). */
  readonly ece: number;
  /** Area under the ROC curve of the largest probability as a sign of being right; NaN if all are right or all wrong. */
  readonly auroc: number;
  /** FLOPs of an example that leaves here. */
  readonly cost: number;
  /** Share of the examples that leave here under the given policy; undefined without one. */
  readonly leaving: number | undefined;
}

/** Expected calibration error: Σ over bins of (share of the bin) · |accuracy − mean confidence|. */
export function calibrationError(confidence: Float32Array, correct: Uint8Array, bins = 15): number {
  const [count, right, sure] = [0, 0, 0].map(() => new Float64Array(bins)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (const [i, value] of confidence.entries()) {
    const bin = Math.min(bins - 1, Math.floor(value * bins));
    count[bin] = count[bin]! + 1;
    right[bin] = right[bin]! + correct[i]!;
    sure[bin] = sure[bin]! + value;
  }
  return count.reduce((sum, _, b) => sum + Math.abs(right[b]! - sure[b]!), 0) / confidence.length;
}

/** P(the score of a right answer is larger than that of a wrong one), ties counting half. */
export function auroc(scores: Float32Array, correct: Uint8Array): number {
  const order = Uint32Array.from(scores, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let ranksOfRight = 0;
  let right = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    for (let k = start; k < end; k++) {
      if (correct[order[k]!] === 0) continue;
      right++;
      ranksOfRight += (start + end + 1) / 2;
    }
    start = end;
  }
  const wrong = scores.length - right;
  return right * wrong === 0 ? Number.NaN : (ranksOfRight - (right * (right + 1)) / 2) / (right * wrong);
}

/**
 * Every exit by itself, the end last.
 *
 * @param policy Says who would leave where; without it that stays out.
 */
export function headReports(table: ExitTable, policy?: ExitPolicy): HeadReport[] {
  const scored = policy && scoreTable(table, policy);
  const shares = scored && outcomeOf(scored, exitsOf(scored, policy!.thresholds)).shares;
  const { correct } = scoreTable(table, maxProbability(table.logits.slice(1).map(() => 1)));
  return table.logits.map((logits, exit) => {
    const confidence = Float32Array.from({ length: table.size }, (_, i) =>
      topProbability(logits.subarray(i * table.classes, (i + 1) * table.classes)),
    );
    const right = correct[exit]!;
    return {
      accuracy: right.reduce((sum, one) => sum + one, 0) / table.size,
      ece: calibrationError(confidence, right),
      auroc: auroc(confidence, right),
      cost: table.costs.cumulative[exit]!,
      leaving: shares?.[exit],
    };
  });
}

/** Accuracy against cost at budgets between the first exit's cost and the whole model's, and the oracle's point. */
export function exitCurve(
  table: ScoredTable,
  points = 9,
): { readonly curve: readonly Outcome[]; readonly oracle: Outcome } {
  const [least, most] = [table.costs.cumulative[0]!, table.costs.cumulative.at(-1)!];
  const budgets = Array.from({ length: points }, (_, i) => least + ((most - least) * i) / Math.max(1, points - 1));
  return { curve: budgets.map((budget) => calibrateBudget(table, budget)), oracle: oracle(table) };
}
