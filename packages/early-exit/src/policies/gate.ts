import { entropyOf, probabilityMargin, topProbability } from './confidence.ts';
import { type ExitPolicy, rowPolicy } from './policy.ts';

/** Per early exit: a bias and the weights of largest probability, margin and entropy (÷ log classes). */
export type GateWeights = readonly (readonly number[])[];

function features(row: Float32Array): number[] {
  return [1, topProbability(row), probabilityMargin(row), entropyOf(row) / Math.log(row.length)];
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/**
 * Leaves where a small logistic regression, taught by `fitGate`, believes the answer: score = P(the answer is right).
 */
export function learnedGate(weights: GateWeights, thresholds: readonly number[]): ExitPolicy {
  return rowPolicy('learned gate', thresholds, (row, exit) => sigmoid(dot(weights[exit]!, features(row))));
}

/** Options of `fitGate`. */
export interface FitGateOptions {
  /** Newton steps. Default 20. */
  readonly steps?: number;
  /** Ridge on the weights, which keeps separable data finite. Default 1e-3 per example. */
  readonly ridge?: number;
}

/** Solves the symmetric positive definite system a·x = b by Gaussian elimination. */
function solve(a: number[][], b: number[]): number[] {
  const n = b.length;
  const rows = a.map((row, i) => [...row, b[i]!]);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const factor = rows[j]![i]! / rows[i]![i]!;
      for (let k = i; k <= n; k++) rows[j]![k] = rows[j]![k]! - factor * rows[i]![k]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let rest = rows[i]![n]!;
    for (let k = i + 1; k < n; k++) rest -= rows[i]![k]! * x[k]!;
    x[i] = rest / rows[i]![i]!;
  }
  return x;
}

/**
 * Teaches one exit's gate: logistic regression of "the answer is right" on the features, by Newton's method.
 *
 * @param logits Of the exit, [n × classes] row by row.
 * @param correct 1 where the exit's answer is right.
 * @returns The weights of this exit for `learnedGate`.
 */
export function fitGate(logits: Float32Array, correct: Uint8Array, options: FitGateOptions = {}): number[] {
  const { steps = 20, ridge = 1e-3 } = options;
  const classes = logits.length / correct.length;
  const rows = Array.from(correct, (_, i) => features(logits.subarray(i * classes, (i + 1) * classes)));
  const n = rows.length;
  let weights = [0, 0, 0, 0];
  for (let step = 0; step < steps; step++) {
    const gradient = weights.map((w) => -ridge * n * w);
    const hessian = weights.map((_, i) => weights.map((__, j) => (i === j ? ridge * n : 0)));
    for (const [r, row] of rows.entries()) {
      const p = sigmoid(dot(weights, row));
      for (let i = 0; i < row.length; i++) {
        gradient[i] = gradient[i]! + (correct[r]! - p) * row[i]!;
        for (let j = 0; j < row.length; j++) hessian[i]![j] = hessian[i]![j]! + p * (1 - p) * row[i]! * row[j]!;
      }
    }
    const change = solve(hessian, gradient);
    weights = weights.map((w, i) => w + change[i]!);
    if (Math.max(...change.map(Math.abs)) < 1e-9) break;
  }
  return weights;
}
