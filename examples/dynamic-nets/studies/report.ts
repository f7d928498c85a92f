// The table of claims and the pictures of docs/results/dynamic.md, from runs/results: what the scripts in runs/ call when they have ended.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Curve, type CurvesOptions, curvesSvg } from '@frugal/sparsity-metrics';
import { root } from '../../../benchmarks/harness.ts';
import { fillPage, markdown, readData, writePicture } from '../../../benchmarks/support/page.ts';

type Figures = Record<string, number>;

interface Result {
  readonly commit: string;
  readonly figures: Figures;
}

const resultOf = (name: string): Result | undefined =>
  existsSync(join(root, 'runs', 'results', `${name}.json`)) ? readData<Result>(name, 'runs/results') : undefined;

const percent = (value: number | undefined, digits = 1): string => `${(100 * value!).toFixed(digits)} %`;
const yes = (held: boolean): string => (held ? 'yes' : '**no**');

/** A claim, the study that asks for it, and how its figures are said. */
interface Claim {
  readonly claim: string;
  readonly run: string;
  readonly found: (f: Figures) => string;
  readonly held: (f: Figures) => boolean;
}

const CLAIMS: readonly Claim[] = [
  {
    claim: 'BranchyNet: 94 % of MNIST leave LeNet at its first exit, accuracy within 0.05 point',
    run: 'claims-branchynet',
    found: (f) =>
      `${percent(f.entropy_left_first)} ± ${percent(f.entropy_left_sd)} leave by entropy (${percent(f.probability_left_first)} by probability), ` +
      `${percent(f.entropy_gap, 3)} lost of ${percent(f.full_accuracy, 2)}`,
    held: (f) => f.held === 1,
  },
  {
    claim: 'Mixed training at least as good as joint',
    run: 'claims-regimes',
    found: (f) => `${percent(f.mixed, 2)} against ${percent(f.joint, 2)}, mean over budgets of 0.5 to 1`,
    held: (f) => f.mixed_minus_joint! >= 0,
  },
  {
    claim: 'Mixed training at least as good as disjoint',
    run: 'claims-regimes',
    found: (f) => `${percent(f.mixed, 2)} against ${percent(f.disjoint, 2)}`,
    held: (f) => f.mixed_minus_disjoint! >= 0,
  },
  {
    claim: 'Risk control: bound broken in at most δ (10 %) + 2 standard errors of 200 splits',
    run: 'claims-regimes',
    found: (f) => `${percent(f.risk_violations)} of the splits, ${percent(f.risk_left_early)} leave early`,
    held: (f) => f.risk_violations! <= f.risk_bound!,
  },
  {
    claim: 'ACM: with the budget loss alone gates collapse',
    run: 'claims-acm',
    found: (f) => `${percent(f.budget_alone_commonest)} of the tokens get the commonest number (collapsed: 90 %)`,
    held: (f) => f.collapsed === 1,
  },
  {
    claim: 'ACM: with all three losses learners spread over tokens and examples',
    run: 'claims-acm',
    found: (f) =>
      `standard deviation over tokens ${f.all_three_overTokens!.toFixed(2)} (budget alone ${f.budget_alone_overTokens!.toFixed(2)}), ` +
      `over examples ${f.all_three_overExamples!.toFixed(2)} (${f.budget_alone_overExamples!.toFixed(2)})`,
    held: (f) => f.spread === 1,
  },
  ...(['plain', 'sparsified'] as const).map((net): Claim => {
    const row = `${net}_6_of_24`;
    return {
      claim: `MoEfication: 95 % of the quality at 10–30 % of the feed-forward parameters, ${net} net`,
      run: 'claims-moefication',
      found: (f) => `${percent(f[`${row}_quality`])} at ${percent(f[`${row}_ffn`])}`,
      held: (f) => f[`${net}_holds`] === 1,
    };
  }),
  {
    claim: 'D2DMoE: 40 % less cost at 99 % of the accuracy',
    run: 'claims-moefication',
    found: (f) => `${percent(1 - f.sparsified_tau_cost!)} less at ${percent(f.sparsified_tau_quality)}`,
    held: (f) => f.d2dmoe_holds === 1,
  },
  ...(['exit', 'expert', 'boost'] as const).map(
    (way): Claim => ({
      claim: `Budgets of 0.3, 0.5, 0.7 met within 3 %: ${{ exit: 'early exits', expert: 'experts', boost: 'token boost' }[way]}`,
      run: 'budgets',
      found: (f) => `${percent(f[`${way}_budget_error`])} off at most`,
      held: (f) => f[`${way}_budget_error`]! <= 0.03,
    }),
  ),
];

const rows = CLAIMS.map(({ claim, run, found, held }) => {
  const result = resultOf(run);
  if (result === undefined) return { claim, found: 'not run to its end yet', held: '', by: `\`runs/${run}.sh\`` };
  const { figures, commit } = result;
  return { claim, found: found(figures), held: yes(held(figures)), by: `\`runs/${run}.sh\` at ${commit.slice(0, 7)}` };
});
const pictures: string[] = [];

/** Draws a picture, which then stands below the table. */
function draw(name: string, curves: readonly Curve[], options: CurvesOptions & { readonly title: string }): void {
  writePicture(`pictures/${name}`, curvesSvg(curves, options));
  pictures.push(`![${options.title}](pictures/${name}.svg)`);
}

const acm = resultOf('claims-acm')?.figures;
if (acm !== undefined) {
  const arms = ['budget alone', 'budget, entropy', 'budget, diversity', 'all three'];
  draw(
    'acm-losses',
    arms.map((name) => {
      const arm = name.replaceAll(/[ ,]+/g, '_');
      return { name, points: [[acm[`${arm}_overExamples`]!, acm[`${arm}_overTokens`]!] as const], draw: 'points' };
    }),
    {
      title: 'How much learners differ under the losses of ACM, three seeds',
      xLabel: 'standard deviation over examples',
      yLabel: 'over the tokens of one',
    },
  );
}
const moefication = resultOf('claims-moefication')?.figures;
if (moefication !== undefined) {
  const points = (rows: readonly string[]) =>
    rows.map((row) => [moefication[`${row}_ffn`]!, moefication[`${row}_quality`]!] as const);
  draw(
    'moefication',
    [
      { name: 'plain, k-means', points: points(['plain_2_of_12', 'plain_3_of_12']) },
      {
        name: 'plain, co-activation',
        points: points(['plain_2_of_12_by_co_activation', 'plain_3_of_12_by_co_activation']),
      },
      ...['plain', 'sparsified'].map((net) => ({
        name: `${net}, 24 experts`,
        points: points([`${net}_3_of_24`, `${net}_6_of_24`, `${net}_tau`]),
      })),
    ],
    {
      title: 'Quality when some of the experts run, three seeds',
      xLabel: 'share of the feed-forward networks run',
      yLabel: "of the dense net's accuracy",
    },
  );
}
/** Rows of claims-moefication as its page shows them: the network, and how many of its experts run. */
const EXPERTS: readonly (readonly [row: string, network: string, run: string])[] = [
  ['dense_trained_on', 'dense, trained on', ''],
  ['dense_sparsified', 'dense, sparsified', ''],
  ['plain_2_of_12', 'plain', '2 of 12'],
  ['plain_2_of_12_by_co_activation', 'plain, by co-activation', '2 of 12'],
  ['plain_3_of_12', 'plain', '3 of 12'],
  ['plain_3_of_12_by_co_activation', 'plain, by co-activation', '3 of 12'],
  ['plain_3_of_24', 'plain', '3 of 24'],
  ['plain_6_of_24', 'plain', '6 of 24'],
  ['plain_tau', 'plain', 'of 24, by τ'],
  ['sparsified_3_of_24', 'sparsified', '3 of 24'],
  ['sparsified_6_of_24', 'sparsified', '6 of 24'],
  ['sparsified_tau', 'sparsified', 'of 24, by τ'],
];
const budgets = resultOf('budgets')?.figures;
if (budgets !== undefined) {
  const asked = [0.3, 0.5, 0.7];
  const names = { exit: 'early exits', expert: 'experts', boost: 'token boost' };
  draw(
    'budgets',
    Object.entries(names).map(([way, name]) => ({
      name,
      points: asked.map((share) => [share, budgets[`${way}_accuracy_${share}`]!] as const),
    })),
    {
      title: 'One vit made dynamic in three ways: accuracy at a budget',
      xLabel: "asked, of the dense net's FLOPs",
      yLabel: 'test accuracy',
      xTicks: asked,
    },
  );
}

fillPage('dynamic.md', 'claims', [markdown(rows), ...pictures]);
if (moefication !== undefined) {
  const experts = EXPERTS.map(([row, network, run]) => ({
    network,
    experts: run,
    'feed-forward share': percent(moefication[`${row}_ffn`]),
    'cost of all': percent(moefication[`${row}_cost`]),
    'test accuracy': percent(moefication[`${row}_accuracy`], 2),
    quality: percent(moefication[`${row}_quality`]),
    'active units': row.startsWith('dense') ? percent(moefication[`${row}_density`]) : '',
  }));
  fillPage('dynamic.md', 'moefication', [markdown(experts)]);
}
