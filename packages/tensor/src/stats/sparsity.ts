import { checkNumbers } from './check.ts';

/**
 * Hoyer's sparsity, (√n − ‖x‖₁/‖x‖₂) / (√n − 1): 0 where all magnitudes are equal, 1 where a single number is not 0.
 *
 * Does not change if all numbers are scaled. Hoyer, JMLR 5 (2004); compared with others in arXiv 0811.4706.
 *
 * @param values At least two numbers; only magnitudes count.
 * @returns In [0, 1]; NaN if all are 0.
 * @throws {FrugalError} `BAD_ARGUMENT` if there are fewer than two, or a NaN.
 */
export function hoyerSparsity(values: ArrayLike<number>): number {
  checkNumbers('values', values, 2);
  let [sum, squares, largest] = [0, 0, 0];
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  for (let i = 0; i < values.length; i++) {
    const x = Math.abs(values[i]!) / largest; // so that squares neither overflow nor vanish
    sum += x;
    squares += x * x;
  }
  const root = Math.sqrt(values.length);
  return Math.min(1, Math.max(0, (root - sum / Math.sqrt(squares)) / (root - 1)));
}

/**
 * The Gini index of the magnitudes, 1 − 2 Σₖ (x₍ₖ₎/‖x‖₁)·(n − k + ½)/n with x₍₁₎ ≤ … ≤ x₍ₙ₎ (arXiv 0811.4706).
 *
 * 0 where all magnitudes are equal, 1 − 1/n where a single number is not 0. Does not change if all numbers are scaled
 * or the list is repeated.
 *
 * @param values At least one number.
 * @returns In [0, 1 − 1/n]; NaN if all are 0.
 * @throws {FrugalError} `BAD_ARGUMENT` if there is none, or a NaN.
 */
export function giniIndex(values: ArrayLike<number>): number {
  checkNumbers('values', values);
  const sorted = Float64Array.from(values, Math.abs).sort();
  const n = sorted.length;
  let [sum, weighted] = [0, 0];
  for (let k = 0; k < n; k++) {
    sum += sorted[k]!;
    weighted += sorted[k]! * (n - k - 0.5);
  }
  return sum === 0 ? Number.NaN : Math.max(0, 1 - (2 * weighted) / (sum * n));
}
