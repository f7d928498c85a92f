// The tables of docs/results/lr-probe.md, made of the cases of a whole run.
import { markdown } from '../../../benchmarks/support/page.ts';
import { type Cases, caseRows, comparisons, policyRows } from './report.ts';

type Row = Record<string, string | number>;

const text = (value: string | number | undefined): string => {
  if (typeof value !== 'number') return value ?? '';
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(1);
  return String(Number(value.toPrecision(size < 1 ? 2 : 3)));
};

/** A table with numbers as short as a reader wants them. */
const tableOf = (rows: readonly Row[]): string =>
  markdown(rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, text(value)]))));

/** The bars: what is measured, what it should be. */
const bars: readonly (readonly [key: string, what: string, sign: '≤' | '≥' | '=', bar: number])[] = [
  ['median_gap_sd', 'thorough, 300 steps: median gap to the grid’s best, seed deviations', '≤', 1],
  ['median_relative_gap', 'the same, relative', '≤', 0.05],
  ['worst_accuracy_gap', 'the worst loss of accuracy', '≤', 0.05],
  ['quick_median_gap_sd', 'quick, 1,200 steps: median gap, seed deviations', '≤', 3],
  ['thorough_cheaper', 'grid ÷ thorough, FLOPs', '≥', 15],
  ['quick_cheaper', 'grid ÷ quick, FLOPs, 1,200 steps', '≥', 50],
  ['beats_baselines', 'better than every single probe, and as stated against the table', '=', 1],
];

/** What stands between the marks of the page. */
export function tablesOf(
  cases: Cases,
  { figures, commit, machine }: { figures: Readonly<Record<string, number>>; commit: string; machine: string },
): string[] {
  const { short, long, lenet } = cases;
  const reached = (value: number, sign: string, bar: number): boolean =>
    sign === '≤' ? value <= bar : sign === '≥' ? value >= bar : value === bar;
  const goals = bars.map(([key, what, sign, bar]) => {
    const value = figures[key] ?? Number.NaN;
    return { what, measured: value, bar: `${sign} ${bar}`, '': reached(value, sign, bar) ? '' : 'missed' };
  });
  const tests = comparisons(short).map(({ against, p }) => ({ against, 'p (Holm)': p }));
  const every: Row[] = caseRows([...short, ...long, ...lenet]);
  return [
    `Commit ${commit.slice(0, 7)}, ${machine}; ${text(figures.minutes)} minutes on a shared machine.`,
    tableOf(goals),
    '### 300 steps, seven tasks × three optimizers',
    tableOf(policyRows(short)),
    '![Gaps of every policy](lr-probe-gaps.svg)',
    '![What advice costs, and what it loses](lr-probe-price.svg)',
    `Thorough advice is better than each of these by its final loss, paired over seeds (sign flips of the logarithm of the ratio, one-sided):`,
    tableOf(tests),
    `That it is worse than the table on the ordinary tasks: p = ${text(figures.p_worse_than_table)}.`,
    '### 1,200 steps, two tasks × three optimizers',
    tableOf(policyRows(long)),
    '![Gaps of every policy in longer runs](lr-probe-gaps-long.svg)',
    '### LeNet-5, SGD, three seeds',
    tableOf(policyRows(lenet)),
    '### Case by case',
    tableOf(every),
    '![Final loss against the rate](lr-probe-curves.svg)',
    '![The same for longer runs](lr-probe-curves-long.svg)',
  ];
}
