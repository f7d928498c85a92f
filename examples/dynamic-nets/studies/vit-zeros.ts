// What runs/vit-zeros.sh runs: which share of the activations of a small ReLU vit is zero, and how that changes while it learns to read MNIST.
// A cosine, a constant rate, and a cosine with a penalty of activity (squared Hoyer); three seeds, rates chosen on validation images.
import { adamw, constant, cosine, train, warmup } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import { accuracyOf, type Lesson } from '@frugal/example-mnist';
import { createProbe, curvesSvg, probeActivations, watchActivity, withActivityPenalty } from '@frugal/sparsity-metrics';
import {
  foldIn,
  key,
  type Labelled,
  type LossFunction,
  type Module,
  mean,
  standardDeviation,
  type Tree,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { bestRate } from '../../../benchmarks/support/arms.ts';
import { fillPage, markdown, measuredAt, writePicture } from '../../../benchmarks/support/page.ts';
import { tasksOf } from '../../../benchmarks/support/tasks.ts';
import { backbone, images, SIZES, task, taskLoss } from '../recipe.ts';

const SEEDS = quick ? [1] : [1, 2, 3];
const IMAGES = quick ? 1_000 : 12_000;
const TRIAL_SEED = 100;
const EPOCHS = quick ? 1 : 5;
/** At 1e-3 the cosine was worse than at 3e-3 in a first trial (83.2 against 92.5 % of validation images). */
const RATES = quick ? [2e-3] : [3e-3, 6e-3];
const EVERY = quick ? 4 : 47;
/** Weight of the penalty, as in runs/claims-moefication.sh. */
const PENALTY = 0.2;
const ARMS = ['cosine', 'constant', 'penalised'] as const;
type Arm = (typeof ARMS)[number];

await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const started = performance.now();
const minutes = (): string => `${((performance.now() - started) / 60_000).toFixed(1)} min`;
const mnist = await readMnist();
const model = backbone();

const penalised: LossFunction<Tree, Labelled> = (params, { x, y }, ctx) =>
  tf.tidy(() => {
    const { output, activity } = withActivityPenalty(() => model.apply(params, x, ctx));
    return tf.add(task(output, y), tf.mul(PENALTY, activity)) as tf.Tensor1D;
  });

/** Trains one net from its first weights, and looks at its zeros on the way. */
async function learn(arm: Arm, peak: number, data: Lesson, seed: number, look: tf.Tensor) {
  const steps = EPOCHS * data.train.batchesPerEpoch;
  const rise = Math.min(100, steps >> 3);
  const watch = watchActivity<Tree>({
    everySteps: EVERY,
    look: (params) => probeActivations(() => model.apply(params, look), { distributions: false }),
  });
  const run = train({
    model: { init: () => model.init(foldIn(key(seed), 0)) },
    loss: arm === 'penalised' ? penalised : taskLoss(model),
    data: data.train,
    epochs: EPOCHS,
    optimizer: adamw(
      arm === 'constant' ? warmup(constant(peak), { steps: rise }) : cosine(peak, { steps, warmup: rise }),
      {
        weightDecay: 0,
      },
    ),
    key: foldIn(key(seed), 3),
    hooks: [watch],
  });
  const result = await run.result;
  treeDispose([result.optimizer, result.state]);
  const samples = watch.samples.map(({ step, report }) => ({
    step,
    zeros: report.zeroFraction,
    blocks: report.layers.map(({ zeroFraction }) => zeroFraction),
  }));
  return { params: result.params, samples };
}

/** Shares of tokens whose zeros are reported. */
const QUANTILES = [0.05, 0.5, 0.95] as const;

/** Zeros over the test images by block, quantiles of the zeros of a token, and units that are always zero. */
async function atTheEnd(params: Tree, data: Lesson): Promise<{ zeros: number[]; tokens: number[]; dead: number }> {
  const probe = createProbe();
  for await (const { x, y } of data.test.batches({ key: key(0), epoch: 0 })) {
    treeDispose([probe.run(() => model.apply(params, x)), x, y]);
  }
  const { layers, deadUnits } = await probe.read();
  const tokens = layers.flatMap(({ perToken }) => perToken).sort((a, b) => a - b);
  return {
    zeros: layers.map(({ zeroFraction }) => zeroFraction),
    tokens: QUANTILES.map((p) => tokens[Math.round(p * (tokens.length - 1))]!),
    dead: deadUnits,
  };
}

/** The first images that are kept apart. */
async function held(data: Lesson, count: number): Promise<tf.Tensor> {
  for await (const { x, y } of data.validation.batches({ key: key(0), epoch: 0 })) {
    const some = tf.slice(x, 0, count);
    tf.dispose([x, y]);
    return some;
  }
  throw new Error('There are no images.');
}

const { run, minutes: processorMinutes } = await tasksOf('vit-zeros', {
  /** How well an arm reads validation images after learning at a rate. */
  async trial(arm: Arm, rate: number): Promise<number> {
    const data = images(mnist, TRIAL_SEED, IMAGES);
    const look = await held(data, 10);
    const { params } = await learn(arm, rate, data, TRIAL_SEED, look);
    const right = await accuracyOf(model as Module, params, data.validation);
    treeDispose([look, params]);
    return right;
  },

  /** One net of one seed: its zeros on the way, and at the end. */
  async seed(seed: number, arm: Arm, rate: number) {
    const data = images(mnist, seed, IMAGES);
    const look = await held(data, 500);
    const { params, samples } = await learn(arm, rate, data, seed, look);
    const accuracy = await accuracyOf(model as Module, params, data.test);
    const end = await atTheEnd(params, data);
    treeDispose([look, params]);
    console.log(`seed ${seed}, ${arm}: ${minutes()}`);
    return { samples, end, accuracy };
  },
});

const tried = await run(
  'trial',
  ARMS.flatMap((arm) => RATES.map((rate): [Arm, number] => [arm, rate])),
);
const rates = {} as Record<Arm, number>;
for (const [i, arm] of ARMS.entries()) {
  const right = tried.slice(i * RATES.length, (i + 1) * RATES.length);
  rates[arm] = bestRate(RATES, right);
  console.log(`${arm}: validation`, right, minutes());
}
const all = await run(
  'seed',
  ARMS.flatMap((arm) => SEEDS.map((seed): [number, Arm, number] => [seed, arm, rates[arm]])),
);
type Outcome = (typeof all)[number];
const outcomes = {} as Record<Arm, Outcome[]>;
for (const [i, arm] of ARMS.entries()) outcomes[arm] = all.slice(i * SEEDS.length, (i + 1) * SEEDS.length);

const over = (arm: Arm, f: (outcome: Outcome) => number): number => mean(outcomes[arm].map(f));
const spread = (arm: Arm, f: (outcome: Outcome) => number): number =>
  SEEDS.length < 2 ? 0 : standardDeviation(outcomes[arm].map(f));
const percent = (arm: Arm, f: (outcome: Outcome) => number): string =>
  `${(100 * over(arm, f)).toFixed(1)} ± ${(100 * spread(arm, f)).toFixed(1)}`;
const depths = Array.from({ length: SIZES.depth }, (_, i) => i);
const whole = ({ end }: Outcome): number => mean(end.zeros);
const lowest = ({ samples }: Outcome): number => Math.min(...samples.map(({ zeros }) => zeros));
const quantile =
  (p: (typeof QUANTILES)[number]) =>
  ({ end }: Outcome): number =>
    end.tokens[QUANTILES.indexOf(p)]!;
const figures: Record<string, number> = {};
for (const arm of ARMS) {
  figures[`${arm}_rate`] = rates[arm];
  figures[`${arm}_accuracy`] = over(arm, ({ accuracy }) => accuracy);
  figures[`${arm}_zeros_start`] = over(arm, ({ samples }) => samples[0]!.zeros);
  figures[`${arm}_zeros_lowest`] = over(arm, lowest);
  figures[`${arm}_zeros_end`] = over(arm, whole);
  figures[`${arm}_zeros_end_spread`] = spread(arm, whole);
  for (const i of depths) figures[`${arm}_zeros_end_block${i + 1}`] = over(arm, ({ end }) => end.zeros[i]!);
  for (const p of QUANTILES) figures[`${arm}_token_zeros_${100 * p}`] = over(arm, quantile(p));
  figures[`${arm}_dead_units`] = over(arm, ({ end }) => end.dead);
}
const rows = ARMS.map((arm) => ({
  arm,
  rate: rates[arm],
  'test accuracy %': percent(arm, ({ accuracy }) => accuracy),
  'zeros at first %': percent(arm, ({ samples }) => samples[0]!.zeros),
  'lowest %': percent(arm, lowest),
  'at the end %': percent(arm, whole),
  ...Object.fromEntries(depths.map((i) => [`block ${i + 1}`, percent(arm, ({ end }) => end.zeros[i]!)])),
  'tokens 5 to 95 %': `${percent(arm, quantile(0.05))} to ${percent(arm, quantile(0.95))}`,
  'dead units': over(arm, ({ end }) => end.dead),
}));
table(rows);

const axes = { xLabel: 'step', yLabel: 'share of zeros' };
const at = (arm: Arm, k: number, f: (sample: Outcome['samples'][number]) => number): number[] =>
  outcomes[arm].map(({ samples }) => f(samples[k]!));
const curve = (name: string, arm: Arm, f: (sample: Outcome['samples'][number]) => number) => ({
  name,
  points: outcomes[arm][0]!.samples.map(({ step }, k) => [step, mean(at(arm, k, f))] as const),
  ...(SEEDS.length > 1 && { spread: outcomes[arm][0]!.samples.map((_, k) => standardDeviation(at(arm, k, f))) }),
});
const byArm = curvesSvg(
  ARMS.map((arm) => curve(arm, arm, ({ zeros }) => zeros)),
  { ...axes, title: 'Zeros after the ReLUs of a small vit, mean of three seeds' },
);
const byBlock = curvesSvg(
  ARMS.slice(0, 2).flatMap((arm) =>
    depths.map((i) => ({
      ...curve(`${arm}, block ${i + 1}`, arm, ({ blocks }) => blocks[i]!),
      ...(arm === 'constant' && { draw: 'dashed' as const }),
    })),
  ),
  { ...axes, title: 'The same by block' },
);
console.log(`\n${minutes()}`);
if (finish('vit-zeros', { ...figures, processor_minutes: processorMinutes() }, 'runs')) {
  writePicture('sparsity-vit-zeros', byArm);
  writePicture('sparsity-vit-zeros-blocks', byBlock);
  fillPage('sparsity.md', 'vit-zeros', [
    measuredAt(processorMinutes()),
    `Mean and spread of ${SEEDS.length} seeds; during training over 500 images that are kept apart, at the end over the test images.`,
    markdown(rows),
    '![Zeros over the steps of training](sparsity-vit-zeros.svg)',
    '![The same by block](sparsity-vit-zeros-blocks.svg)',
  ]);
}
