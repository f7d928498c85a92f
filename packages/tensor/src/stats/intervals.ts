import { FrugalError } from '../errors.ts';
import { fillIntegers } from '../random/integers.ts';
import { foldIn } from '../random/key.ts';
import type { Key } from '../seams/index.ts';
import { checkLevel } from './check.ts';
import { normalProbability, normalQuantile } from './normal-quantile.ts';

/** A confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** The statistic of the data itself. */
  readonly estimate: number;
}

/** Options of `wilsonInterval`. */
export interface WilsonOptions {
  /** Default 0.95. */
  readonly level?: number;
}

/**
 * Wilson's score interval of a proportion, such as an accuracy: right near 0 and 1 and for small counts too.
 *
 * (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n). Wilson, JASA 22 (1927).
 *
 * @param successes Integer in [0, trials].
 * @param trials Integer of at least 1.
 * @throws {FrugalError} `BAD_ARGUMENT` if a number is out of range.
 */
export function wilsonInterval(successes: number, trials: number, { level = 0.95 }: WilsonOptions = {}): Interval {
  checkLevel(level);
  const counts = Number.isInteger(successes) && Number.isInteger(trials) && trials >= 1;
  if (!counts || successes < 0 || successes > trials) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `successes and trials must be integers, 0 <= successes <= trials, trials >= 1; got ${successes} and ${trials}.`,
    );
  }
  const z2 = normalQuantile((1 + level) / 2) ** 2;
  const p = successes / trials;
  const half = Math.sqrt((z2 * p * (1 - p)) / trials + (z2 / (2 * trials)) ** 2);
  const scale = 1 + z2 / trials;
  const center = p + z2 / (2 * trials);
  return {
    low: successes === 0 ? 0 : (center - half) / scale,
    high: successes === trials ? 1 : (center + half) / scale,
    estimate: p,
  };
}

/** Options of `bootstrapInterval`. */
export interface BootstrapOptions {
  /** Default 2000. */
  readonly resamples?: number;
  /** Default 0.95. */
  readonly level?: number;
  /**
   * `'percentile'` (default), or `'bca'`, bias-corrected and accelerated (Efron, JASA 82, 1987): more accurate for skewed statistics, and the
   * statistic is then computed once more per observation.
   */
  readonly method?: 'percentile' | 'bca';
}

/**
 * A bootstrap confidence interval of any statistic, by resampling the observations with replacement.
 *
 * Equal keys give equal intervals. For paired data let an observation be a pair.
 *
 * @param key One key, one use.
 * @param data The observations, at least 2.
 * @param statistic A number for a list of observations. Resamples for which it is NaN are left out.
 * @throws {FrugalError} `BAD_ARGUMENT` if there are too few observations or options are out of range, or if the statistic is NaN for the
 * data or for more than half of the resamples.
 */
export function bootstrapInterval<T>(
  key: Key,
  data: readonly T[],
  statistic: (sample: readonly T[]) => number,
  options: BootstrapOptions = {},
): Interval {
  const { resamples = 2000, level = 0.95, method = 'percentile' } = options;
  checkLevel(level);
  if (data.length < 2)
    throw new FrugalError('BAD_ARGUMENT', `data must hold at least 2 observations, got ${data.length}.`);
  if (!Number.isInteger(resamples) || resamples < 100) {
    throw new FrugalError('BAD_ARGUMENT', `resamples must be an integer of at least 100, got ${resamples}.`);
  }
  const estimate = statistic(data);
  const values = resampled(key, data, statistic, resamples);
  if (Number.isNaN(estimate) || values.length < resamples / 2) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `statistic is NaN for ${Number.isNaN(estimate) ? 'the data' : `${resamples - values.length} of ${resamples} resamples`}. Use more or less tied observations.`,
    );
  }
  const tails = [(1 - level) / 2, (1 + level) / 2] as const;
  const [low, high] = method === 'bca' ? corrected(tails, values, estimate, data, statistic) : tails;
  return { low: quantile(values, low), high: quantile(values, high), estimate };
}

/** The sorted statistics of the resamples, without NaN. */
function resampled<T>(
  key: Key,
  data: readonly T[],
  statistic: (sample: readonly T[]) => number,
  count: number,
): Float64Array {
  const rows = new Int32Array(data.length);
  const values = Array.from({ length: count }, (_, i) => {
    fillIntegers(foldIn(key, i), rows, 0, data.length);
    return statistic(Array.from(rows, (row) => data[row]!));
  });
  return Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
}

/** Linear interpolation between order statistics. */
function quantile(sorted: Float64Array, p: number): number {
  const at = p * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  const share = at - below;
  return share === 0 ? sorted[below]! : sorted[below]! * (1 - share) + sorted[above]! * share;
}

/** The tail probabilities that BCa reads the quantiles at. */
function corrected<T>(
  tails: readonly [number, number],
  values: Float64Array,
  estimate: number,
  data: readonly T[],
  statistic: (sample: readonly T[]) => number,
): readonly [number, number] {
  const below = values.reduce((count, value) => count + (value < estimate ? 1 : value === estimate ? 0.5 : 0), 0);
  if (below === 0 || below === values.length) return tails;
  const bias = normalQuantile(below / values.length);
  const without = data.map((_, i) => statistic(data.toSpliced(i, 1)));
  const center = without.reduce((sum, value) => sum + value, 0) / without.length;
  const moment = (power: number): number => without.reduce((sum, value) => sum + (center - value) ** power, 0);
  const spread = moment(2);
  const acceleration = spread === 0 ? 0 : moment(3) / (6 * spread ** 1.5);
  return tails.map((tail) => {
    const z = bias + normalQuantile(tail);
    return normalProbability(bias + z / (1 - acceleration * z));
  }) as [number, number];
}
