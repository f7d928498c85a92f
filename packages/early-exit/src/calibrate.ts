import { FrugalError } from '@frugal/tensor';
import { exitsOf, type Outcome, outcomeOf, type ScoredTable } from './exit-table.ts';

/** Thresholds and what they do on the table that they were chosen on. */
export interface Calibration extends Outcome {
  readonly thresholds: readonly number[];
}

/** Leaving shares that the search tries at each exit. */
const SHARES = [
  0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.82, 0.84, 0.86, 0.88,
  0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1,
] as const;

/** Scores sorted, so that a share of leavers becomes a threshold. */
type Sorted = readonly Float32Array[];

function sortScores({ scores }: ScoredTable): Sorted {
  return scores.map((column) => column.slice().sort());
}

/** The threshold that a share of a column reaches (ties leave together). */
function thresholdOf(sorted: Float32Array, share: number): number {
  const leavers = Math.round(share * sorted.length);
  return leavers === 0 ? Number.POSITIVE_INFINITY : sorted[sorted.length - leavers]!;
}

const toThresholds = (sorted: Sorted, shares: readonly number[]): number[] =>
  shares.map((share, exit) => thresholdOf(sorted[exit]!, share));

/** What thresholds do on a table, as a calibration. */
export function thresholdCalibration(table: ScoredTable, thresholds: readonly number[]): Calibration {
  return { thresholds, ...outcomeOf(table, exitsOf(table, thresholds)) };
}

/** Shares that maximise accuracy − price · cost, exit by exit until nothing changes. */
function climb(of: (shares: readonly number[]) => Outcome, price: number, start: readonly number[]): number[] {
  const shares = [...start];
  const value = (): number => {
    const { accuracy, cost } = of(shares);
    return accuracy - price * cost;
  };
  let best = value();
  for (let round = 0; round < 4; round++) {
    const before = best;
    for (const exit of shares.keys()) {
      let chosen = shares[exit]!;
      for (const share of SHARES) {
        shares[exit] = share;
        const now = value();
        if (now > best) [best, chosen] = [now, share];
      }
      shares[exit] = chosen;
    }
    if (best === before) break;
  }
  return shares;
}

/** Shares for prices from high to low, i.e. from the cheapest to the most careful. */
function path(table: ScoredTable, sorted: Sorted): number[][] {
  const { cumulative } = table.costs;
  const scale = 1 / cumulative.at(-1)!;
  // Most prices ask for the same shares again.
  const known = new Map<string, Outcome>();
  const of = (shares: readonly number[]): Outcome => {
    const name = shares.join();
    const outcome = known.get(name) ?? thresholdCalibration(table, toThresholds(sorted, shares));
    known.set(name, outcome);
    return outcome;
  };
  const all: number[][] = [table.scores.map(() => 1)];
  let shares = table.scores.map(() => 1);
  for (let price = 3; price > 1e-4; price /= 1.5) {
    shares = climb(of, price * scale, shares);
    all.push(shares);
  }
  all.push(table.scores.map(() => 0));
  return all;
}

/**
 * Thresholds for a mean cost per example: the most accurate ones on the table that cost as much as was asked.
 *
 * Searches along the price of a FLOP, then between the two neighbours of the budget.
 *
 * @param flops Mean FLOPs per example (milliseconds with costs from `exitTimes`), between the cost of leaving at the first exit and of the whole model.
 * @throws {FrugalError} `BAD_OPTION` if the budget cannot be met; says the range.
 */
export function calibrateBudget(table: ScoredTable, flops: number): Calibration {
  const { cumulative } = table.costs;
  const [least, most] = [cumulative[0]!, cumulative.at(-1)!];
  if (!(flops >= least && flops <= most)) {
    throw new FrugalError(
      'BAD_OPTION',
      `calibrateBudget: flops must lie in [${least}, ${most}] for this model, got ${flops}.`,
    );
  }
  const sorted = sortScores(table);
  const candidates = path(table, sorted).map((shares) => ({
    shares,
    cost: thresholdCalibration(table, toThresholds(sorted, shares)).cost,
  }));
  const below = candidates.filter(({ cost }) => cost <= flops).reduce((a, b) => (b.cost >= a.cost ? b : a));
  const above = candidates.filter(({ cost }) => cost >= flops).reduce((a, b) => (b.cost <= a.cost ? b : a));
  let [low, high] = [0, 1];
  const between = (s: number): Calibration =>
    thresholdCalibration(
      table,
      toThresholds(
        sorted,
        below.shares.map((share, i) => share + s * (above.shares[i]! - share)),
      ),
    );
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2;
    if (between(middle).cost <= flops) low = middle;
    else high = middle;
  }
  return between(low);
}

/**
 * Lets as many leave at each exit as the accuracy allows, until nothing changes. The path has the best trades alone: of one exit it
 * may skip from a third of the examples to all of them, with what the accuracy allows between.
 */
function widen(table: ScoredTable, sorted: Sorted, start: readonly number[], least: number): number[] {
  const shares = [...start];
  for (let changed = true; changed; ) {
    changed = false;
    for (const exit of shares.keys()) {
      const before = shares[exit]!;
      for (let step = 500; step / 500 > before; step--) {
        shares[exit] = step / 500;
        if (thresholdCalibration(table, toThresholds(sorted, shares)).accuracy >= least) break;
        shares[exit] = before;
      }
      changed ||= shares[exit] !== before;
    }
  }
  return shares;
}

/**
 * The cheapest thresholds found whose accuracy on the table is at least that of the whole model minus `slack`; with one exit the
 * cheapest there are, to a five-hundredth of the examples.
 *
 * A threshold for each exit fits itself to the table: where a few examples decide (a slack of the order of 1 ÷ √size), the
 * accuracy on fresh data is lower than promised, and `riskControl`, which moves all thresholds together, keeps it better.
 *
 * @param slack In accuracy, ≥ 0, e.g. 0.0005. Default 0.
 */
export function calibrateAccuracy(table: ScoredTable, slack = 0): Calibration {
  const sorted = sortScores(table);
  const of = (shares: readonly number[]): Calibration => thresholdCalibration(table, toThresholds(sorted, shares));
  const closed = table.scores.map(() => 0);
  const least = of(closed).accuracy - slack;
  const cost = (shares: readonly number[]): number => of(shares).cost;
  const good = path(table, sorted).filter((shares) => of(shares).accuracy >= least);
  const best = good.reduce((a, b) => (cost(b) < cost(a) ? b : a), closed);
  return of(widen(table, sorted, best, least));
}
