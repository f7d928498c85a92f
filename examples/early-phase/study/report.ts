// The figures that are published, and the table that is printed.
import type { Case } from './run-case.ts';
import { gridBest, holm, medianOf, pairs, policiesOf, type Score, scoreOf, signFlip } from './score.ts';

/** All cases, by the part that they play. */
export interface Cases {
  readonly short: readonly Case[];
  readonly long: readonly Case[];
  readonly lenet: readonly Case[];
  readonly chosen: readonly Case[];
}

/** Probes that look once. */
export const singles = ['half η_c', 'generalised Newton', 'steep', 'minimum', 'valley', 'slide'] as const;

const scoresOf = (cases: readonly Case[], policy: string): Score[] =>
  cases.filter((one) => policiesOf(one).includes(policy)).map((one) => scoreOf(one, policy));

const worst = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);

/** p-values of thorough against every single probe and, on the rescaled task, against the table. */
export function comparisons(cases: readonly Case[]): { against: string; p: number }[] {
  const rescaled = cases.filter(({ task }) => task.startsWith('rescaled'));
  const tests = singles.map((policy) => ({ against: policy as string, p: signFlip(pairs(cases, 'thorough', policy)) }));
  if (rescaled.length > 0) {
    tests.push({ against: 'table, rescaled', p: signFlip(pairs(rescaled, 'thorough', 'table')) });
  }
  const corrected = holm(tests.map(({ p }) => p));
  return tests.map(({ against }, i) => ({ against, p: corrected[i]! }));
}

/** Figures of the table, rows to print, and everything for the pictures. */
export function report(parts: Cases): {
  figures: Record<string, number>;
  rows: Record<string, string | number>[];
  cases: Cases;
} {
  const { short, long } = parts;
  const thorough = scoresOf(short, 'thorough');
  const quick = scoresOf(long, 'quick');
  const ordinary = short.filter(({ task }) => !task.startsWith('rescaled'));
  const tests = comparisons(short);
  const worseThanTable = signFlip(pairs(ordinary, 'table', 'thorough'));
  const beats = tests.every(({ p }) => p < 0.05) && worseThanTable >= 0.05;
  const figures: Record<string, number> = {
    median_gap_sd: medianOf(thorough.map(({ gapSd }) => gapSd)),
    median_relative_gap: medianOf(thorough.map(({ relativeGap }) => relativeGap)),
    worst_accuracy_gap: worst(thorough.map(({ accuracyGap }) => accuracyGap)),
    thorough_cheaper: medianOf(thorough.map(({ cheaper }) => cheaper)),
    beats_baselines: beats ? 1 : 0,
    p_worse_than_table: worseThanTable,
    largest_p: worst(tests.map(({ p }) => p)),
  };
  if (quick.length > 0) {
    figures.quick_median_gap_sd = medianOf(quick.map(({ gapSd }) => gapSd));
    figures.quick_worst_accuracy_gap = worst(quick.map(({ accuracyGap }) => accuracyGap));
    figures.quick_cheaper = medianOf(quick.map(({ cheaper }) => cheaper));
  }
  const sets = { short, long, lenet: parts.lenet, chosen: parts.chosen };
  const rows = Object.entries(sets).flatMap(([set, cases]) => policyRows(cases).map((row) => ({ set, ...row })));
  for (const { against, p } of tests) console.log(`thorough beats ${against}: p = ${p.toPrecision(2)} (Holm)`);
  console.log(`thorough is worse than the table on ordinary tasks: p = ${worseThanTable.toPrecision(2)}\n`);
  return { figures, rows, cases: parts };
}

/** A row for each case: the grid's best rate, and where the two settings and the table led. */
export function caseRows(cases: readonly Case[]): Record<string, string | number>[] {
  return cases.map((one) => {
    const row: Record<string, string | number> = {
      ...{ task: one.task, optimizer: one.optimizer, steps: one.steps },
      'best rate': one.seeds[0]!.grid[gridBest(one).at]!.rate,
    };
    for (const policy of ['thorough', 'quick', 'table']) {
      const rates = one.seeds.flatMap(({ picks }) => picks.find((pick) => pick.policy === policy)?.rate ?? []);
      const { gapSd, relativeGap } = scoreOf(one, policy);
      row[policy] = Math.exp(rates.reduce((sum, rate) => sum + Math.log(rate), 0) / rates.length);
      row[`${policy}, sd`] = gapSd;
      if (policy !== 'table') row[`${policy}, relative`] = relativeGap;
    }
    return row;
  });
}

/** A row for each policy: its gaps over cases. */
export function policyRows(cases: readonly Case[]): Record<string, string | number>[] {
  return [...new Set(cases.flatMap(policiesOf))].map((policy) => summary(policy, scoresOf(cases, policy)));
}

const shownCost = (cheaper: number): number | string => (Number.isFinite(cheaper) ? cheaper : '–');

function summary(policy: string, scores: readonly Score[]): Record<string, string | number> {
  return {
    policy,
    cases: scores.length,
    'median gap, sd': medianOf(scores.map(({ gapSd }) => gapSd)),
    'worst, sd': worst(scores.map(({ gapSd }) => gapSd)),
    'median relative gap': medianOf(scores.map(({ relativeGap }) => relativeGap)),
    'worst accuracy gap': worst(scores.map(({ accuracyGap }) => accuracyGap)),
    'grid ÷ cost': shownCost(medianOf(scores.map(({ cheaper }) => cheaper))),
    failures: scores.reduce((sum, { failures }) => sum + failures, 0),
  };
}
