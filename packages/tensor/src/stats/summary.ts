import { checkNumbers } from './check.ts';

/**
 * The arithmetic mean, by pairwise summation.
 *
 * @param values At least one number.
 * @throws {FrugalError} `BAD_ARGUMENT` if there is none, or a NaN.
 */
export function mean(values: ArrayLike<number>): number {
  checkNumbers('values', values);
  return pairwise(values, 0, values.length) / values.length;
}

/**
 * The standard deviation of a sample, √(Σ(x − mean)² / (n − 1)).
 *
 * @param values At least two numbers.
 * @throws {FrugalError} `BAD_ARGUMENT` if there are fewer, or a NaN.
 */
export function standardDeviation(values: ArrayLike<number>): number {
  checkNumbers('values', values, 2);
  const center = mean(values);
  const squares = Float64Array.from(values, (x) => (x - center) ** 2);
  return Math.sqrt(pairwise(squares, 0, squares.length) / (squares.length - 1));
}

/** Halves until 128 are left: the error grows with log n instead of n. */
function pairwise(values: ArrayLike<number>, from: number, to: number): number {
  if (to - from > 128) {
    const middle = (from + to) >>> 1;
    return pairwise(values, from, middle) + pairwise(values, middle, to);
  }
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i]!;
  return sum;
}
