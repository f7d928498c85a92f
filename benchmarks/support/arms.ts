// What studies of several arms and seeds share: the rate of an arm, and figures over seeds.
import { mean, standardDeviation } from '@frugal/tensor';

/** The rate at which most was right. */
export function bestRate(rates: readonly number[], right: readonly number[]): number {
  return rates[right.indexOf(Math.max(...right))]!;
}

/** Figures of every seed by name, over the seeds. */
export interface OverSeeds {
  readonly names: readonly string[];
  mean(name: string): number;
  /** The standard deviation; 0 of one seed. */
  spread(name: string): number;
  /** Mean and spread of shares, in %. */
  percent(name: string): string;
}

/** Sums up what each seed gave: the same names in each. */
export function overSeeds(outcomes: readonly Readonly<Record<string, number>>[]): OverSeeds {
  const of = (name: string): number[] => outcomes.map((outcome) => outcome[name]!);
  const spread = (name: string): number => (outcomes.length < 2 ? 0 : standardDeviation(of(name)));
  return {
    names: Object.keys(outcomes[0]!),
    mean: (name) => mean(of(name)),
    spread,
    percent: (name) => `${(100 * mean(of(name))).toFixed(2)} ± ${(100 * spread(name)).toFixed(2)}`,
  };
}
