import { FrugalError } from '../errors.ts';
import { checkNumbers } from './check.ts';

/** Indices that sort `values`; equal values keep their order. */
function order(values: ArrayLike<number>): Uint32Array {
  return Uint32Array.from({ length: values.length }, (_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b);
}

/**
 * Ranks from 1 on; equal values share the mean of their ranks.
 *
 * @throws {FrugalError} `BAD_ARGUMENT` if there is a NaN.
 */
export function ranks(values: ArrayLike<number>): Float64Array {
  checkNumbers('values', values, 0);
  const sorted = order(values);
  const out = new Float64Array(values.length);
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && values[sorted[to]!] === values[sorted[from]!]) to++;
    for (let i = from; i < to; i++) out[sorted[i]!] = (from + to + 1) / 2;
    from = to;
  }
  return out;
}

function checkPairs(x: ArrayLike<number>, y: ArrayLike<number>): void {
  checkNumbers('x', x, 2);
  checkNumbers('y', y, 2);
  if (x.length === y.length) return;
  throw new FrugalError('BAD_ARGUMENT', `x and y must be equally long, got ${x.length} and ${y.length}.`);
}

/**
 * Spearman's rank correlation: Pearson's correlation of the ranks, ties at their mean rank.
 *
 * @returns In [−1, 1]; NaN if one side is constant.
 * @throws {FrugalError} `BAD_ARGUMENT` if the lengths differ, are below 2, or there is a NaN.
 */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  checkPairs(x, y);
  const [a, b] = [ranks(x), ranks(y)];
  const middle = (a.length + 1) / 2;
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [dx, dy] = [a[i]! - middle, b[i]! - middle];
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return xx === 0 || yy === 0 ? Number.NaN : Math.min(1, Math.max(-1, xy / Math.sqrt(xx) / Math.sqrt(yy)));
}

/** Pairs of equals in neighbouring runs of a sorted sequence. */
function ties(count: number, equal: (i: number) => boolean): number {
  let [pairs, run] = [0, 0];
  for (let i = 1; i < count; i++) {
    run = equal(i) ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/** How many pairs stand in falling order; sorts `values` on the way (merge sort). */
function inversions(values: Float64Array): number {
  const n = values.length;
  let from = values;
  let to: Float64Array = new Float64Array(n);
  let swaps = 0;
  for (let width = 1; width < n; width *= 2) {
    for (let start = 0; start < n; start += 2 * width) {
      const middle = Math.min(start + width, n);
      const end = Math.min(start + 2 * width, n);
      let [left, right] = [start, middle];
      for (let k = start; k < end; k++) {
        if (left < middle && (right >= end || from[left]! <= from[right]!)) to[k] = from[left++]!;
        else {
          swaps += middle - left;
          to[k] = from[right++]!;
        }
      }
    }
    [from, to] = [to, from];
  }
  if (from !== values) values.set(from);
  return swaps;
}

/**
 * Kendall's τ-b, (concordant − discordant) / √((pairs − ties in x)(pairs − ties in y)), in O(n log n) by Knight's method (1966).
 *
 * @returns In [−1, 1]; NaN if one side is constant.
 * @throws {FrugalError} `BAD_ARGUMENT` if the lengths differ, are below 2, or there is a NaN.
 */
export function kendallTau(x: ArrayLike<number>, y: ArrayLike<number>): number {
  checkPairs(x, y);
  const n = x.length;
  const sorted = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => x[a]! - x[b]! || y[a]! - y[b]!);
  const sameX = (i: number): boolean => x[sorted[i]!] === x[sorted[i - 1]!];
  const tiesX = ties(n, sameX);
  const tiesBoth = ties(n, (i) => sameX(i) && y[sorted[i]!] === y[sorted[i - 1]!]);
  const byX = Float64Array.from(sorted, (i) => y[i]!);
  const discordant = inversions(byX);
  const tiesY = ties(n, (i) => byX[i] === byX[i - 1]);
  const pairs = (n * (n - 1)) / 2;
  if (tiesX === pairs || tiesY === pairs) return Number.NaN;
  const difference = pairs - tiesX - tiesY + tiesBoth - 2 * discordant;
  return Math.min(1, Math.max(-1, difference / Math.sqrt(pairs - tiesX) / Math.sqrt(pairs - tiesY)));
}
