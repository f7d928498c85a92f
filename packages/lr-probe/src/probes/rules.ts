import type { LinePoint } from './critical-rate.ts';

/** The learning rates that fastai's rules read off a range test; undefined where a rule finds none. */
export interface Suggestions {
  /** Where the loss falls fastest along the logarithm of the rate. */
  readonly steep: number | undefined;
  /** A tenth of the rate of the lowest loss. */
  readonly minimum: number | undefined;
  /** The middle of the longest stretch on which the loss goes down. */
  readonly valley: number | undefined;
  /** Where the slope settles, coming from the right. */
  readonly slide: number | undefined;
}

/** Left out before the rules look: the start, where a moving average has not settled, and the end, where it explodes. */
const [SKIP_START, SKIP_END] = [10, 5];

/**
 * fastai's four rules on the points of a range test, all along the logarithm of the rate.
 *
 * @param points In ascending order of the rate; where the loss is not finite they are left out.
 */
export function suggestRates(points: readonly LinePoint[]): Suggestions {
  const finite = points.filter(({ loss }) => Number.isFinite(loss));
  const kept = finite.length > 2 * (SKIP_START + SKIP_END) ? finite.slice(SKIP_START, -SKIP_END) : finite;
  if (kept.length < 2) return { steep: undefined, minimum: undefined, valley: undefined, slide: undefined };
  return { steep: steep(kept), minimum: minimum(kept), valley: valley(kept), slide: slide(kept) };
}

/** The index of the smallest value; the first of equal ones. */
function argMin(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value < values[best]! ? i : best), 0);
}

function steep(points: readonly LinePoint[]): number | undefined {
  const slopes = points
    .slice(1)
    .map(({ rate, loss }, i) => (loss - points[i]!.loss) / Math.log(rate / points[i]!.rate));
  const at = argMin(slopes);
  return slopes[at]! < 0 ? points[at]!.rate : undefined;
}

function minimum(points: readonly LinePoint[]): number {
  return points[argMin(points.map(({ loss }) => loss))]!.rate / 10;
}

/** The longest decreasing subsequence, by dynamic programming; of what it spans, the middle third's start and a half. */
function valley(points: readonly LinePoint[]): number | undefined {
  const lengths = points.map(() => 1);
  let end = 0;
  for (let i = 1; i < points.length; i++) {
    for (let j = 0; j < i; j++) {
      if (points[i]!.loss < points[j]!.loss) lengths[i] = Math.max(lengths[i]!, lengths[j]! + 1);
    }
    if (lengths[i]! > lengths[end]!) end = i;
  }
  if (lengths[end]! < 2) return undefined;
  const start = end - lengths[end]!;
  const third = (end - start) / 3;
  return points[Math.max(0, start + Math.trunc(third) + Math.trunc(third / 2))]!.rate;
}

/** Walks left while slopes 15 points apart differ by more than 0.005, in the loss's own unit. */
function slide(points: readonly LinePoint[]): number | undefined {
  const [apart, threshold] = [15, 0.005];
  const slope = (i: number): number => {
    const [left, right] = [Math.max(0, i - 1), Math.min(points.length - 1, i + 1)];
    return (points[right]!.loss - points[left]!.loss) / (right - left);
  };
  let right = points.length - 1;
  let pick = points[right - apart]?.rate;
  for (; right - apart >= 0 && Math.abs(slope(right) - slope(right - apart)) > threshold; right--) {
    pick = points[right - apart]!.rate;
  }
  return pick;
}
