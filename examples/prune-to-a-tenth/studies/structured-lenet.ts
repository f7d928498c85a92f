// What runs/structured-lenet.sh runs: LeNet-5 on MNIST with whole channels and neurons cut out and the matrices made smaller, three seeds: accuracy
// against measured speed. Units are picked by magnitude, activation, gradient or at random; what is left learns from the whole net, and so do nets
// of the same shape from fresh weights, for as many epochs as whole and cut one together. Rates are chosen on validation images, for every arm alike.
import { classification, lossFunction } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import { accuracyOf, type Lesson } from '@frugal/example-mnist';
import * as nn from '@frugal/nn';
import {
  activationScores,
  applyMasks,
  compact,
  curvesSvg,
  gradientScores,
  type KeptUnits,
  pruneUnits,
  type UnitScores,
  unitMasks,
} from '@frugal/sparsity-metrics';
import {
  foldIn,
  key,
  type Labelled,
  type Module,
  meter,
  randomUniform,
  type Staged,
  type Tree,
  treeDispose,
  treeSize,
  useBackend,
  valueAndGrad,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, median, quick, table } from '../../../benchmarks/harness.ts';
import { bestRate, overSeeds } from '../../../benchmarks/support/arms.ts';
import { fillPage, markdown, measuredAt, writePicture } from '../../../benchmarks/support/page.ts';
import { tasksOf } from '../../../benchmarks/support/tasks.ts';
import { fit, images } from '../recipe.ts';

const SEEDS = quick ? [1] : [1, 2, 3];
const IMAGES = quick ? 1_000 : 20_000;
const TRIAL_SEED = 100;
const EPOCHS = quick ? { whole: 1, cut: 1 } : { whole: 5, cut: 2 };
const SHARES = quick ? [0.5] : [0.3, 0.5, 0.7, 0.85];
/** At 1e-3 every arm was worse than at 3e-3 in a first trial. */
const RATES = quick ? [2e-3] : [3e-3, 6e-3];
const CUTS = ['magnitude', 'activation', 'gradient', 'random'] as const;
const ARMS = [...CUTS, 'fresh weights, taught', 'fresh weights, alone'] as const;
type Arm = (typeof ARMS)[number];
type Rates = Record<Arm | 'whole', number>;
/** Share at which rates are chosen. */
const TRIAL = quick ? 0.5 : 0.7;

await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const started = performance.now();
const minutes = (): string => `${((performance.now() - started) / 60_000).toFixed(1)} min`;
const mnist = await readMnist();
const model = nn.lenet5() as unknown as Staged;
const loss = lossFunction(model as Module, classification().loss);

/** The first batches of an epoch. */
async function* some(data: Lesson, seed: number, count: number): AsyncGenerator<Labelled> {
  for await (const batch of data.train.batches({ key: key(seed), epoch: 0 })) {
    if (count-- === 0) return void treeDispose(batch);
    yield batch;
  }
}

async function scoresOf(arm: Arm, params: Tree, data: Lesson, seed: number): Promise<UnitScores | undefined> {
  if (arm === 'magnitude') return undefined;
  const units = await pruneUnits(model, params, 0);
  const sums = Object.fromEntries(Object.entries(units).map(([path, all]) => [path, new Float32Array(all.length)]));
  const add = (scores: UnitScores): void => {
    for (const [path, values] of Object.entries(scores)) for (const [i, v] of values.entries()) sums[path]![i]! += v;
  };
  if (arm === 'random') {
    for (const [i, path] of Object.keys(units).entries()) {
      const draws = randomUniform(foldIn(foldIn(key(seed), 8), i), [units[path]!.length]);
      add({ [path]: (await draws.data()) as Float32Array });
      draws.dispose();
    }
    return sums;
  }
  for await (const batch of some(data, seed, 20)) {
    if (arm === 'activation') add(await activationScores(model, params, () => model.apply(params, batch.x)));
    else {
      // Of the whole set the gradient is near zero after training, and so would the scores be.
      const [value, grads] = valueAndGrad((p: Tree) => tf.mean(loss(p, batch, { train: true })))(params);
      add(await gradientScores(model, params, grads));
      treeDispose([value, grads]);
    }
    treeDispose(batch);
  }
  return sums;
}

/** The largest difference between masked and compacted net, ÷ the largest output. */
async function difference(params: Tree, kept: KeptUnits, small: { model: Staged; params: Tree }, x: tf.Tensor) {
  const masks = unitMasks(model, params, kept);
  const masked = applyMasks(params, masks);
  const gap = tf.tidy(() => {
    const [a, b] = [model.apply(masked, x), small.model.apply(small.params, x)];
    return tf.div(tf.max(tf.abs(tf.sub(a, b))), tf.max(tf.abs(a)));
  });
  const [value] = await gap.data();
  treeDispose([masks, masked, gap]);
  return value!;
}

interface Net {
  readonly model: Staged;
  readonly params: Tree;
  /** Accuracy on the validation images directly after the cut; nets of fresh weights have none. */
  readonly before?: number;
}

/** A smaller net and what it learnt; `whole` teaches it. */
async function make(arm: Arm, share: number, whole: Tree, data: Lesson, peak: number, seed: number): Promise<Net> {
  const scores = await scoresOf(
    arm === 'fresh weights, taught' || arm === 'fresh weights, alone' ? 'magnitude' : arm,
    whole,
    data,
    seed,
  );
  const kept = await pruneUnits(model, whole, share, scores && { scores });
  const small = await compact(model, whole, { nn, kept });
  const net = small.model as unknown as Module;
  const common = { peak, seed: seed + 50, teacherModel: model as Module };
  const both = EPOCHS.whole + EPOCHS.cut;
  if (arm.startsWith('fresh')) {
    treeDispose(small.params);
    const start = net.init(foldIn(key(seed), 9));
    const taught = arm === 'fresh weights, taught' && { teacher: whole };
    const params = await fit(net, data, { ...common, epochs: both, params: start, ...taught });
    treeDispose(start);
    return { model: small.model, params };
  }
  for await (const batch of some(data, seed, 1)) {
    const gap = await difference(whole, kept, small, batch.x);
    treeDispose(batch);
    if (!(gap <= 1e-5)) throw new Error(`Masked and compacted differ by ${gap}.`);
  }
  const before = await accuracyOf(net, small.params, data.validation);
  const params = await fit(net, data, { ...common, epochs: EPOCHS.cut, params: small.params, teacher: whole });
  treeDispose(small.params);
  return { model: small.model, params, before };
}

/** How many times as fast a net with a share of its units cut is, by processor time, at batch 1 and 256; and the sizes. */
async function speedOf(share: number, x: tf.Tensor): Promise<Record<string, number>> {
  const whole = model.init(key(1)); // how fast a net is depends on its shapes, which are the same for every seed and arm
  const small = await compact(model, whole, { nn, kept: await pruneUnits(model, whole, share) });
  const out: Record<string, number> = {};
  for (const batch of [1, 256]) {
    const part = tf.slice(x, 0, batch);
    const forward = (net: Staged, params: Tree) => async () => {
      const y = net.apply(params, part);
      await y.data();
      y.dispose();
    };
    const times = await interleave(
      { whole: forward(model, whole), small: forward(small.model, small.params) },
      { clock: 'cpu' },
    );
    out[`speed ${batch}`] = median(times.small.samples.map((one, i) => times.whole.samples[i]! / one));
    part.dispose();
  }
  const one = tf.slice(x, 0, 1);
  const [a, b] = [meter(() => model.apply(whole, one)), meter(() => small.model.apply(small.params, one))];
  out['FLOPs ÷'] = a.flops / b.flops;
  out['weights ÷'] = treeSize(whole) / treeSize(small.params);
  treeDispose([one, a.result, b.result, whole, small.params]);
  return out;
}

const learnWhole = (data: Lesson, peak: number, seed: number, epochs: number = EPOCHS.whole): Promise<Tree> =>
  fit(model as Module, data, { epochs, peak, seed });

const { run, minutes: processorMinutes } = await tasksOf('structured-lenet', {
  /** How well the whole net reads validation images after learning at a rate. */
  async whole(rate: number): Promise<number> {
    const data = images(mnist, TRIAL_SEED, IMAGES);
    const params = await learnWhole(data, rate, TRIAL_SEED);
    const right = await accuracyOf(model as Module, params, data.validation);
    treeDispose(params);
    return right;
  },

  /** The same of every arm. */
  async trial(rate: number, rateOfWhole: number): Promise<Record<Arm, number>> {
    const data = images(mnist, TRIAL_SEED, IMAGES);
    const whole = await learnWhole(data, rateOfWhole, TRIAL_SEED);
    const right = {} as Record<Arm, number>;
    for (const arm of ARMS) {
      const { model: small, params } = await make(arm, TRIAL, whole, data, rate, TRIAL_SEED);
      right[arm] = await accuracyOf(small as Module, params, data.validation);
      treeDispose(params);
    }
    treeDispose(whole);
    return right;
  },

  /** Errors of everything that one seed makes. */
  async seed(seed: number, rates: Rates): Promise<Record<string, number>> {
    const data = images(mnist, seed, IMAGES);
    const whole = await learnWhole(data, rates.whole, seed);
    const long = await learnWhole(data, rates.whole, seed, EPOCHS.whole + EPOCHS.cut);
    const errors: Record<string, number> = {
      whole: 1 - (await accuracyOf(model as Module, whole, data.test)),
      'whole, as long': 1 - (await accuracyOf(model as Module, long, data.test)),
    };
    for (const share of SHARES) {
      for (const arm of ARMS) {
        const net = await make(arm, share, whole, data, rates[arm], seed);
        errors[`${arm} ${share}`] = 1 - (await accuracyOf(net.model as Module, net.params, data.test));
        if (net.before !== undefined) errors[`${arm} ${share} before`] = 1 - net.before;
        treeDispose(net.params);
      }
      console.log(`seed ${seed}, ${share} cut: ${minutes()}`);
    }
    treeDispose([whole, long]);
    return errors;
  },
});

const rateOfWhole = bestRate(
  RATES,
  await run(
    'whole',
    RATES.map((rate) => [rate]),
  ),
);
const trials = await run(
  'trial',
  RATES.map((rate) => [rate, rateOfWhole]),
);
const rates = { whole: rateOfWhole } as Rates;
for (const arm of ARMS)
  rates[arm] = bestRate(
    RATES,
    trials.map((right) => right[arm]),
  );
console.log('rates:', rates, minutes());

const { names, mean, spread, percent } = overSeeds(
  await run(
    'seed',
    SEEDS.map((seed) => [seed, rates]),
  ),
);
const speeds: Record<string, number>[] = [];
for await (const { x, y } of images(mnist, 1, IMAGES).test.batches({ key: key(0), epoch: 0 })) {
  for (const share of SHARES) speeds.push(await speedOf(share, x));
  tf.dispose([x, y]);
  break;
}

const summary = `Errors on the test images in %, mean and spread of ${SEEDS.length} seeds: whole ${percent('whole')}, trained as long as whole and cut together ${percent('whole, as long')}.`;
const named = (share: number) => ({ 'units cut': `${Math.round(100 * share)} %` });
const rows = SHARES.map((share) => ({
  ...named(share),
  ...Object.fromEntries(ARMS.map((arm) => [arm, percent(`${arm} ${share}`)])),
}));
const sizes = SHARES.map((share, i) => ({ ...named(share), ...speeds[i]! }));
const directly = SHARES.map((share) => ({
  ...named(share),
  ...Object.fromEntries(CUTS.map((arm) => [arm, percent(`${arm} ${share} before`)])),
}));
const below = [
  'How many times as fast as the whole net (processor time of one thread, batch 1 and 256), and how many times less:',
  'Errors on the validation images directly after the cut, in %:',
] as const;
console.log(`\n${summary}\n`);
table(rows);
console.log(`\n${below[0]}\n`);
table(sizes);
console.log(`\n${below[1]}\n`);
table(directly);
console.log(`\n${minutes()}`);
const short = (name: string): string => name.replaceAll(/[ ,.]+/g, '_');
const written = finish(
  'structured-lenet',
  {
    processor_minutes: processorMinutes(),
    ...Object.fromEntries(names.map((name) => [`${short(name)}_error`, mean(name)])),
    ...Object.fromEntries(names.map((name) => [`${short(name)}_spread`, spread(name)])),
    ...Object.fromEntries(
      speeds.flatMap((one, i) =>
        Object.entries(one).map(([name, value]) => [
          `${short(name.replace(' ÷', '_factor'))}_at_${short(String(SHARES[i]))}`,
          value,
        ]),
      ),
    ),
    ...Object.fromEntries(Object.entries(rates).map(([arm, rate]) => [`${short(arm)}_rate`, rate])),
  },
  'runs',
);
if (written) {
  const fast = speeds.map((one) => one['speed 256']!);
  const svg = curvesSvg(
    [
      ...ARMS.map((arm) => ({
        name: arm,
        points: SHARES.map((share, i) => [fast[i]!, 100 * mean(`${arm} ${share}`)] as const),
        spread: SHARES.map((share) => 100 * spread(`${arm} ${share}`)),
        ...(arm.startsWith('fresh') && { draw: 'dashed' as const }),
      })),
      ...['whole', 'whole, as long'].map((name) => ({
        name,
        points: [1, fast.at(-1)!].map((x) => [x, 100 * mean(name)] as const),
        draw: 'dashed' as const,
      })),
    ],
    {
      title: 'LeNet-5 with units cut out: error against speed, three seeds',
      xLabel: 'times as fast as the whole net (batch 256, processor time)',
      yLabel: 'test error, %',
    },
  );
  writePicture('sparsity-structured-lenet', svg);
  fillPage('sparsity.md', 'structured-lenet', [
    measuredAt(processorMinutes()),
    summary,
    markdown(rows),
    '![Test error against speed](sparsity-structured-lenet.svg)',
    below[0],
    markdown(sizes),
    below[1],
    markdown(directly),
  ]);
}
