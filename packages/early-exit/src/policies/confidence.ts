import { type ExitPolicy, rowPolicy } from './policy.ts';

/** log Σ exp of a row, safe for large logits. */
export function logSumExp(row: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < row.length; i++) if (row[i]! > largest) largest = row[i]!;
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += Math.exp(row[i]! - largest);
  return largest + Math.log(sum);
}

/** The index of the largest value, the first of equals. */
export function argMax(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** max softmax(z), in [1/classes, 1]. */
export function topProbability(row: Float32Array): number {
  return Math.exp(row[argMax(row)]! - logSumExp(row));
}

/** Entropy of softmax(z) in nats, in [0, log classes]. */
export function entropyOf(row: Float32Array): number {
  const total = logSumExp(row);
  let entropy = 0;
  for (const value of row) {
    const log = value - total;
    if (log > -80) entropy -= Math.exp(log) * log;
  }
  return entropy;
}

/** The difference between the largest and the second largest probability, in [0, 1]. */
export function probabilityMargin(row: Float32Array): number {
  let [first, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of row) {
    if (value > first) [first, second] = [value, first];
    else if (value > second) second = value;
  }
  const total = logSumExp(row);
  return Math.exp(first - total) - Math.exp(second - total);
}

/** Leaves where the largest probability reaches the exit's threshold, in [0, 1] (BranchyNet's common variant). */
export function maxProbability(thresholds: readonly number[]): ExitPolicy {
  return rowPolicy('max probability', thresholds, topProbability);
}

/** Leaves where the entropy is low (BranchyNet, arXiv 1709.01686). Scores are −entropy in nats, so thresholds are ≤ 0. */
export function lowEntropy(thresholds: readonly number[]): ExitPolicy {
  return rowPolicy('low entropy', thresholds, (row) => -entropyOf(row));
}

/** Leaves where the best answer leads the second by the threshold, in probability, in [0, 1]. */
export function margin(thresholds: readonly number[]): ExitPolicy {
  return rowPolicy('margin', thresholds, probabilityMargin);
}

/** Everybody leaves at early exit `exit`; at the end if it is `exits` or more. The baseline that looks at nothing. */
export function fixedDepth(exit: number, exits: number): ExitPolicy {
  const thresholds = Array.from({ length: exits }, (_, i) => (i < exit ? Number.POSITIVE_INFINITY : 0));
  return rowPolicy('fixed depth', thresholds, () => 0);
}
