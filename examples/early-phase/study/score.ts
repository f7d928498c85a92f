// From runs to figures: gaps to the grid's best, costs, and tests of significance.
import { fillBits, key, mean } from '@frugal/tensor';
import type { Case, End, Seed } from './run-case.ts';

/** A policy in a case, against the best of the grid. */
export interface Score {
  readonly task: string;
  readonly optimizer: string;
  readonly steps: number;
  readonly policy: string;
  /** (mean loss − the grid's lowest mean) ÷ seed deviation, pooled over the three best rates. */
  readonly gapSd: number;
  /** The same difference ÷ the grid's lowest mean. */
  readonly relativeGap: number;
  readonly accuracyGap: number;
  /** FLOPs of the grid, which stops diverged rates early ÷ FLOPs of the policy. */
  readonly cheaper: number;
  /** Seeds in which it found no rate, or its run diverged. */
  readonly failures: number;
}

/** A run that diverged, or never began, is worth what the first parameters were. */
export const lossOf = (end: End | undefined, { start }: Seed): number => Math.min(end?.loss ?? start, start);
const accuracyOf = (end: End | undefined): number => Math.max(0, end?.accuracy ?? 0);

/** Of a grid over seeds: its best rate, and how much seeds matter there. */
export function gridBest({ seeds }: Case): { loss: number; sd: number; at: number } {
  const rates = seeds[0]!.grid.map((_, i) => {
    const losses = seeds.map((seed) => lossOf(seed.grid[i], seed));
    const centre = mean(losses);
    const variance = losses.reduce((sum, loss) => sum + (loss - centre) ** 2, 0) / (losses.length - 1);
    return { at: i, loss: centre, variance };
  });
  const [first, ...others] = rates.sort((a, b) => a.loss - b.loss).slice(0, 3) as [(typeof rates)[0], ...typeof rates];
  const pooled = mean([first, ...others].map(({ variance }) => variance));
  return { loss: first.loss, sd: Math.sqrt(pooled), at: first.at };
}

/** The policies that a case knows. */
export const policiesOf = ({ seeds }: Case): string[] => seeds[0]!.picks.map(({ policy }) => policy);

export function scoreOf(one: Case, policy: string): Score {
  const { seeds, task, optimizer, steps } = one;
  const best = gridBest(one);
  const picks = seeds.map((seed) => seed.picks.find((pick) => pick.policy === policy)!);
  const losses = seeds.map((seed, i) => lossOf(picks[i]!.end, seed));
  const gap = mean(losses) - best.loss;
  const gridFlops = mean(seeds.map(({ grid, stepFlops }) => stepFlops * grid.reduce((sum, end) => sum + end.steps, 0)));
  const gridAccuracy = mean(seeds.map(({ grid }) => accuracyOf(grid[best.at])));
  return {
    ...{ task, optimizer, steps, policy },
    gapSd: gap / best.sd,
    relativeGap: gap / best.loss,
    accuracyGap: gridAccuracy - mean(picks.map(({ end }) => accuracyOf(end))),
    // Infinite for what costs nothing.
    cheaper: gridFlops / mean(picks.map(({ flops }) => flops)),
    failures: picks.filter(({ end }) => end?.loss == null).length,
  };
}

/** ln of a policy's final loss ÷ ln of another's, a pair for each seed of each case. */
export function pairs(cases: readonly Case[], policy: string, against: string): number[] {
  return cases.flatMap(({ seeds }) =>
    seeds.map((seed) => {
      const [a, b] = [policy, against].map((name) => seed.picks.find((pick) => pick.policy === name));
      return Math.log(lossOf(b?.end, seed) / lossOf(a?.end, seed));
    }),
  );
}

/** One-sided p-value that the mean of paired differences is above 0, by random flips of their signs. */
export function signFlip(differences: readonly number[], flips = 20_000): number {
  const observed = differences.reduce((sum, value) => sum + value, 0);
  const bits = new Int32Array(flips * Math.ceil(differences.length / 32));
  fillBits(key(17), bits);
  const words = Math.ceil(differences.length / 32);
  let atLeast = 1;
  for (let flip = 0; flip < flips; flip++) {
    let sum = 0;
    for (const [i, value] of differences.entries()) {
      sum += (bits[flip * words + (i >> 5)]! >>> (i & 31)) & 1 ? value : -value;
    }
    if (sum >= observed) atLeast++;
  }
  return atLeast / (flips + 1);
}

/** Holm's correction: p-values in the same order. */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const corrected = new Array<number>(values.length);
  let largest = 0;
  for (const [rank, i] of order.entries()) {
    largest = Math.max(largest, Math.min(1, values[i]! * (values.length - rank)));
    corrected[i] = largest;
  }
  return corrected;
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
