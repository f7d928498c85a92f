import { FrugalError } from '@frugal/tensor';
import { checkScores, type Scores } from './difficulty.ts';

/**
 * The share of the `k` hardest examples of one run that are among the `k` hardest of the other: top-k overlap, in [0, 1].
 *
 * Where ties stand across the border (exit numbers are coarse), each tied example is in with the share of the places that are left for them: what ties
 * that are broken at random give on average. Two unrelated rankings overlap by k ÷ examples.
 *
 * @param k An integer from 1 to the number of examples. As `correlation` of `agreement`: `(a, b) => topOverlap(a, b, Math.ceil(a.length / 10))`.
 * @throws {FrugalError} `BAD_ARGUMENT` if lengths differ, or k is out of range.
 */
export function topOverlap(a: Scores, b: Scores, k: number): number {
  const examples = checkScores([a, b]);
  if (!(Number.isInteger(k) && k >= 1 && k <= examples)) {
    throw new FrugalError('BAD_ARGUMENT', `topOverlap: k must be an integer from 1 to ${examples}, got ${k}.`);
  }
  const [inA, inB] = [chances(a, k), chances(b, k)];
  let both = 0;
  for (let i = 0; i < examples; i++) both += inA[i]! * inB[i]!;
  return both / k;
}

/** How likely each example is among the k largest if ties are broken at random. */
function chances(scores: Scores, k: number): Float64Array {
  const border = Float64Array.from(scores).sort()[scores.length - k]!;
  let [above, tied] = [0, 0];
  for (let i = 0; i < scores.length; i++) {
    if (scores[i]! > border) above++;
    else if (scores[i] === border) tied++;
  }
  return Float64Array.from(scores, (score) => (score > border ? 1 : score === border ? (k - above) / tied : 0));
}

/** Examples at the two ends of a ranking, each list from the extreme inwards. */
export interface Extremes {
  readonly easiest: readonly number[];
  readonly hardest: readonly number[];
}

/**
 * The numbers of the easiest and of the hardest examples; of equal ones the first.
 *
 * @param scores Larger is harder, e.g. `difficulty(runs)`.
 * @param count How many of each.
 */
export function extremes(scores: Scores, count: number): Extremes {
  const order = Array.from({ length: scores.length }, (_, i) => i);
  const rising = order.toSorted((i, j) => scores[i]! - scores[j]! || i - j);
  const falling = order.toSorted((i, j) => scores[j]! - scores[i]! || i - j);
  return { easiest: rising.slice(0, count), hardest: falling.slice(0, count) };
}
