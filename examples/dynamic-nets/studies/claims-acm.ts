// What runs/claims-acm.sh runs: does the gate of Adaptive Computation Modules (arXiv 2312.10193) collapse under the budget loss alone,
// and spread over tokens and over examples with all three losses? A vit on MNIST, three seeds; each arm starts from the same
// distilled learners and the same gates, trains as long, and has its rate chosen on validation images.
import { readMnist } from '@frugal/datasets/node';
import type { Lesson } from '@frugal/example-mnist';
import {
  foldIn,
  key,
  mean,
  type Plans,
  standardDeviation,
  type Tree,
  treeClone,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import {
  type BoostLossOptions,
  type BoostPlan,
  boostedBlock,
  boostLoss,
  boostParams,
  calibrateBudget,
  distillLoss,
  gateLoss,
  layerUsage,
  runModel,
} from '@frugal/token-boost';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { backbone, images, measure, SIZES, task, taskLoss, teach } from '../recipe.ts';

const SEEDS = quick ? [1] : [1, 2, 3];
const IMAGES = quick ? 1_000 : 12_000;
const JUDGED = quick ? { validation: 500, test: 500 } : {};
const EPOCHS = quick
  ? { dense: 1, distil: 1, gates: 1, end: 1, tuning: 1 }
  : { dense: 5, distil: 2, gates: 1, end: 3, tuning: 1 };
const RATES = quick ? [1e-3] : [1e-3, 3e-3];
const TARGET = 0.5;

const ARMS: Readonly<Record<string, Omit<BoostLossOptions, 'target'>>> = {
  'budget alone': { budget: 0.1, entropy: 0, diversity: 0 },
  'budget, entropy': { budget: 0.1, entropy: 0.05, diversity: 0 },
  'budget, diversity': { budget: 0.1, entropy: 0, diversity: 0.05 },
  'all three': { budget: 0.1, entropy: 0.05, diversity: 0.05 },
};

const started = performance.now();
const minutes = (): string => `${((performance.now() - started) / 60_000).toFixed(1)} min`;
await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const mnist = await readMnist();
const dense = backbone();
const model = backbone(() => boostedBlock(SIZES.dim, { projections: false, activation: 'relu' }));

/** A trained dense net, and learners and gates that were taught by it. */
async function prepare(data: Lesson, seed: number): Promise<{ trained: Tree; start: Tree }> {
  const trained = await teach(taskLoss(dense), dense.init(foldIn(key(seed), 0)), data.train, {
    epochs: EPOCHS.dense,
    peak: 2e-3,
    seed,
  });
  const fresh = model.init(foldIn(key(seed), 1));
  const first = boostParams(fresh, trained);
  treeDispose(fresh);
  const distilled = await teach(distillLoss(model, trained), first, data.train, {
    epochs: EPOCHS.distil,
    peak: 4e-3,
    seed: seed + 10,
  });
  const start = await teach(gateLoss(model, trained), distilled, data.train, {
    epochs: EPOCHS.gates,
    peak: 1e-2,
    seed: seed + 20,
  });
  return { trained, start };
}

const endToEnd = (start: Tree, arm: string, peak: number, data: Lesson, epochs: number, seed: number): Promise<Tree> =>
  teach(boostLoss(model, task, { target: TARGET, ...ARMS[arm]! }), treeClone(start), data.train, {
    epochs,
    peak,
    seed: seed + 30,
  });

const run =
  (params: Tree, tilt = 0) =>
  (x: Parameters<typeof runModel>[2]) =>
    runModel(model, params, x, { tilt });

const chosen: Record<string, number> = {};
const results: Record<string, Record<string, number[]>> = {};
const note = (arm: string, name: string, value: number): void => {
  results[arm] ??= {};
  results[arm][name] = [...(results[arm][name] ?? []), value];
};

for (const seed of SEEDS) {
  const data = images(mnist, seed, IMAGES, JUDGED);
  const { trained, start } = await prepare(data, seed);
  for (const arm of Object.keys(ARMS)) {
    if (chosen[arm] === undefined) {
      let best = -1;
      for (const rate of RATES) {
        const params = await endToEnd(start, arm, rate, data, EPOCHS.tuning, seed + 100);
        const { accuracy } = await measure(run(params), data.validation);
        if (accuracy > best) [best, chosen[arm]] = [accuracy, rate];
        treeDispose(params);
      }
    }
    const params = await endToEnd(start, arm, chosen[arm]!, data, EPOCHS.end, seed);
    const plans: Plans<BoostPlan>[] = [];
    const own = await measure(run(params), data.test, (one) => plans.push(one.plans));
    const usage = layerUsage(plans, 1000);
    note(arm, 'accuracy', own.accuracy);
    note(arm, 'used', mean(usage.map(({ meanLearners }) => meanLearners / 4)));
    note(arm, 'commonest', mean(usage.map(({ commonest }) => commonest)));
    note(arm, 'overExamples', mean(usage.map(({ overExamples }) => overExamples)));
    note(arm, 'overTokens', mean(usage.map(({ overTokens }) => overTokens)));
    if (arm === 'budget alone' || arm === 'all three') await atBudget(arm, params, data, seed);
    treeDispose(params);
    console.log(`seed ${seed}, ${arm}: ${minutes()}`);
  }
  const plain = await measure(async (x) => ({ output: dense.apply(trained, x), cost: [] }), data.test);
  note('dense', 'accuracy', plain.accuracy);
  treeDispose([trained, start]);
}

/** The same budget for both, set after training: on images that it was trained on, held against the test images. */
async function atBudget(arm: string, params: Tree, data: Lesson, seed: number): Promise<void> {
  const { full, bare } = await ends(params, data);
  const budget = bare + TARGET * (full - bare);
  const known = images(mnist, seed, quick ? 1_000 : 10_000).train;
  const { tilt } = await calibrateBudget(model, params, known, budget, { tolerance: 0.01 });
  const met = await measure(run(params, tilt), data.test);
  note(arm, 'accuracyAtBudget', met.accuracy);
  note(arm, 'budgetError', Math.abs(met.flops / budget - 1));
}

/** FLOPs of an image with all learners, and with none. */
async function ends(params: Tree, data: Lesson): Promise<{ full: number; bare: number }> {
  for await (const { x, y } of data.validation.batches({ key: key(0), epoch: 0 })) {
    const [all, none] = [
      await runModel(model, params, x, { count: 4 }),
      await runModel(model, params, x, { count: 0 }),
    ];
    treeDispose([x, y, all.output, none.output]);
    return { full: all.cost[0]!, bare: none.cost[0]! };
  }
  throw new Error('There are no images.');
}

const shown = (arm: string, name: string): string => {
  const values = results[arm]?.[name];
  if (values === undefined) return '';
  const spread = values.length > 1 ? ` ± ${standardDeviation(values).toFixed(3)}` : '';
  return `${mean(values).toFixed(3)}${spread}`;
};
table(
  ['dense', ...Object.keys(ARMS)].map((arm) => ({
    losses: arm,
    rate: chosen[arm] ?? '',
    'test accuracy': shown(arm, 'accuracy'),
    'share of learners': shown(arm, 'used'),
    'commonest number': shown(arm, 'commonest'),
    'over examples': shown(arm, 'overExamples'),
    'over tokens': shown(arm, 'overTokens'),
    'accuracy at the budget': shown(arm, 'accuracyAtBudget'),
    'budget error': shown(arm, 'budgetError'),
  })),
);
const value = (arm: string, name: string): number => mean(results[arm]![name]!);
const [alone, all] = ['budget alone', 'all three'];
const collapsed = value(alone, 'commonest') >= 0.9;
const spread =
  value(all, 'commonest') < 0.7 &&
  value(all, 'overExamples') > 2 * value(alone, 'overExamples') &&
  value(all, 'overTokens') > 2 * value(alone, 'overTokens');
console.log(
  `With the budget loss alone the gates ${collapsed ? 'collapse' : 'do not collapse'}; with all three they ${spread ? 'spread' : 'do not spread'}.`,
);
console.log(`It took ${minutes()}.`);
const figures: Record<string, number> = {
  dense_accuracy: value('dense', 'accuracy'),
  collapsed: Number(collapsed),
  spread: Number(spread),
};
for (const [arm, measured] of Object.entries(results)) {
  if (arm === 'dense') continue;
  const short = arm.replaceAll(', ', '_').replaceAll(' ', '_');
  for (const [name, values] of Object.entries(measured)) figures[`${short}_${name}`] = mean(values);
}
figures.minutes = (performance.now() - started) / 60_000;
finish('claims-acm', figures, 'runs');
