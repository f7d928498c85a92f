import { bootstrapInterval, FrugalError, foldIn, type Interval, type Key, kendallTau, mean } from '@frugal/tensor';
import { checkScores, type Scores } from './difficulty.ts';

/** Options of `agreement`. */
export interface AgreementOptions {
  /** For the bootstrap: one key, one use. */
  key: Key;
  /** Resamples of the examples, at least 100. Default 200. */
  resamples?: number;
  /** Default 0.95. */
  level?: number;
  /** The class of each example: correlations are then within each class, averaged, as class effects inflate them. */
  classes?: ArrayLike<number>;
  /**
   * Whether runs of the same place in their lists share something (one backbone that each method made dynamic, one seed): their
   * correlation says more of that than of the methods, so it is given apart. Default false.
   */
  related?: boolean;
  /** Default Kendall's τ-b. */
  correlation?: (x: ArrayLike<number>, y: ArrayLike<number>) => number;
}

/** Whether two methods, or two seeds of one, find the same examples hard. */
export interface PairAgreement {
  readonly methods: readonly [string, string];
  /** Mean correlation over the pairs of runs, with its bootstrap interval over the examples. */
  readonly correlation: Interval;
  /** With `related`: of the runs that share something; `correlation` is then of the others alone. */
  readonly related?: Interval;
  /** √(ceiling of one · ceiling of the other): what can be expected at most, given the noise of single runs. */
  readonly ceiling: number;
}

/** Agreement between methods, and within each. */
export interface Agreement {
  /** Of a method with itself over other seeds; undefined where there is one run only. */
  readonly ceilings: Readonly<Record<string, Interval | undefined>>;
  readonly pairs: readonly PairAgreement[];
}

type Pair = readonly [Scores, Scores];

/**
 * Do different kinds of network find the same examples hard? Rank correlation between methods, and the seed ceiling.
 *
 * The correlation of two methods is the mean over all pairs of a run of one and a run of the other; a method's ceiling is
 * the mean over the pairs of its own runs.
 *
 * @param methods Scores by method and run (`costsOf(runs)`, losses, …), all over the same examples in the same order.
 * @throws {FrugalError} `BAD_ARGUMENT` if lengths differ, a score is NaN, or no pair of runs has a correlation.
 */
export function agreement(methods: Readonly<Record<string, readonly Scores[]>>, options: AgreementOptions): Agreement {
  const examples = checkScores(Object.values(methods).flat());
  const { classes } = options;
  if (classes !== undefined && classes.length !== examples) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `classes must be ${examples} numbers, one per example, got ${classes.length}.`,
    );
  }
  let used = 0;
  const estimate = (pairs: readonly Pair[]): Interval =>
    meanCorrelation(pairs, examples, foldIn(options.key, used++), options);
  const ceilings: Record<string, Interval | undefined> = {};
  const pairs: PairAgreement[] = [];
  const entries = Object.entries(methods);
  for (const [name, runs] of entries) {
    const own = runs.flatMap((a, i) => runs.slice(i + 1).map((b): Pair => [a, b]));
    ceilings[name] = own.length === 0 ? undefined : estimate(own);
  }
  for (const [i, [a, ofA]] of entries.entries()) {
    for (const [b, ofB] of entries.slice(i + 1)) {
      const apart = ofA.flatMap((x, m) => ofB.filter((_, n) => !options.related || m !== n).map((y): Pair => [x, y]));
      const correlation = estimate(apart);
      const related = options.related && {
        related: estimate(ofA.slice(0, ofB.length).map((x, m): Pair => [x, ofB[m]!])),
      };
      const product = (ceilings[a]?.estimate ?? Number.NaN) * (ceilings[b]?.estimate ?? Number.NaN);
      pairs.push({ methods: [a, b], correlation, ...related, ceiling: Math.sqrt(product) });
    }
  }
  return { ceilings, pairs };
}

function meanCorrelation(pairs: readonly Pair[], examples: number, key: Key, options: AgreementOptions): Interval {
  const { resamples = 200, level = 0.95, classes, correlation = kendallTau } = options;
  const all = Array.from({ length: examples }, (_, i) => i);
  const statistic = (rows: readonly number[]): number => {
    const groups = classes === undefined ? [rows] : byClass(rows, classes);
    const values = groups
      .filter((group) => group.length > 1)
      .flatMap((group) =>
        pairs.map(([x, y]) =>
          correlation(
            group.map((row) => x[row]!),
            group.map((row) => y[row]!),
          ),
        ),
      );
    // A class in which a method never varies says nothing.
    const defined = values.filter((value) => !Number.isNaN(value));
    return defined.length === 0 ? Number.NaN : mean(defined);
  };
  return bootstrapInterval(key, all, statistic, { resamples, level });
}

function byClass(rows: readonly number[], classes: ArrayLike<number>): number[][] {
  const groups = new Map<number, number[]>();
  for (const row of rows) {
    const group = groups.get(classes[row]!);
    if (group === undefined) groups.set(classes[row]!, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}
