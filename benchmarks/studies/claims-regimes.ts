// Training regimes of networks with exits (arXiv 2407.14320): is mixed at least as good as joint and disjoint? LeNet-5, three
// seeds, equal steps, the rate of each regime tuned alike on validation images. Then, on the first mixed network: do risk
// control and calibration to a budget keep their promises on real images?
import { readMnist } from '@frugal/datasets/node';
import {
  calibrateBudget,
  type ExitTable,
  exitsOf,
  maxProbability,
  outcomeOf,
  recordExits,
  riskControl,
  type ScoredTable,
  scoreTable,
} from '@frugal/early-exit';
import { foldIn, key, mean, randomPermutation, standardDeviation, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, quick, table } from '../harness.ts';
import { batchesOf, lenet5Exits, parts } from '../support/exit-lenet.ts';
import { clock, type Params, type Regime, teach } from '../support/exit-training.ts';
import { tasksOf } from '../support/tasks.ts';

await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const mnist = await readMnist();
const images = parts(mnist, { train: 'rest', validation: 5000, calibration: 10_000 });
const data = batchesOf(images.train, 128, true);
const say = clock();
const epochs = (count: number): number => (quick ? 12 : count * data.batchesPerEpoch);
const regimes: Record<string, Regime> = {
  joint: [['joint', 2 * epochs(3)]],
  disjoint: [
    ['backbone', epochs(4)],
    ['disjoint', epochs(2)],
  ],
  mixed: [
    ['backbone', epochs(3)],
    ['joint', epochs(3)],
  ],
};
const budgets = [0.5, 0.6, 0.7, 0.8];
const policy = maxProbability([1, 1]);
const cut = (set: typeof mnist.test) => batchesOf(quick ? { ...set, size: 1000 } : set, 500);

/** Accuracy at each budget (share of the full cost), thresholds from validation images; the whole network last. */
function curve(chosen: ScoredTable, judged: ScoredTable): number[] {
  const full = judged.costs.cumulative.at(-1)!;
  const at = budgets.map((budget) => {
    const { thresholds } = calibrateBudget(chosen, budget * full);
    return outcomeOf(judged, exitsOf(judged, thresholds)).accuracy;
  });
  return [...at, outcomeOf(judged, new Int32Array(judged.size).fill(judged.correct.length - 1)).accuracy];
}

/** Rows of two tables, one after the other. */
function pool(a: ExitTable, b: ExitTable): ExitTable {
  const logits = a.logits.map((one, e) => {
    const both = new Float32Array(one.length + b.logits[e]!.length);
    both.set(one);
    both.set(b.logits[e]!, one.length);
    return both;
  });
  const labels = Int32Array.of(...a.labels, ...b.labels);
  return { ...a, size: a.size + b.size, labels, logits };
}

/** What calibration promised and what came of it. */
interface Promises {
  /** The worst |spent ÷ asked − 1|. */
  readonly budgetError: number;
  /** Share of the splits whose thresholds break the bound on all images. */
  readonly violations: number;
  readonly leftEarly: number;
}

const [risk, delta, splits] = [0.002, 0.1, quick ? 20 : 200];

/** Budgets and risk on 10,000 images that nothing learned from, against the test images and against both. */
async function keepsPromises(params: Params): Promise<Promises> {
  const [calibration, test] = [
    await recordExits(lenet5Exits, params, cut(images.calibration)),
    await recordExits(lenet5Exits, params, cut(mnist.test)),
  ];
  const [chosen, judged] = [scoreTable(calibration, policy), scoreTable(test, policy)];
  const least = chosen.costs.cumulative[0]! / chosen.costs.full;
  // Below its first exit no network can go.
  const shares = [0.3, 0.4, 0.5, 0.6, 0.7].filter((share) => share > least);
  const errors = shares.map((share) => {
    const asked = share * chosen.costs.full;
    const { thresholds } = calibrateBudget(chosen, asked);
    return Math.abs(outcomeOf(judged, exitsOf(judged, thresholds)).cost / asked - 1);
  });
  const pooled = scoreTable(pool(calibration, test), policy);
  const end = pooled.correct.length - 1;
  let violations = 0;
  let left = 0;
  for (let split = 0; split < splits; split++) {
    const rows = Int32Array.from(randomPermutation(foldIn(key(99), split), pooled.size).subarray(0, pooled.size / 4));
    const some: ScoredTable = {
      ...pooled,
      size: rows.length,
      scores: pooled.scores.map((column) => Float32Array.from(rows, (row) => column[row]!)),
      correct: pooled.correct.map((column) => Uint8Array.from(rows, (row) => column[row]!)),
    };
    const { thresholds } = riskControl(some, { risk, delta });
    const exits = exitsOf(pooled, thresholds);
    const worse = exits.reduce((n, exit, i) => n + Number(pooled.correct[end]![i]! > pooled.correct[exit]![i]!), 0);
    violations += Number(worse / pooled.size > risk) / splits;
    left += exits.reduce((n, exit) => n + Number(exit < end), 0) / pooled.size / splits;
  }
  return { budgetError: Math.max(...errors), violations, leftEarly: left };
}

/** What is kept of a trained network. */
interface Trial {
  /** Mean accuracy over the budgets on validation images: by it the rate is chosen. */
  readonly validated: number;
  /** `curve` on the test images. */
  readonly tested: readonly number[];
  readonly promises?: Promises;
}

/** In a first trial every regime took 3e-3 of 1.5e-3 and 3e-3. */
const peaks = quick ? [2e-3] : [3e-3, 6e-3];

/** A network of a regime, trained and judged; the first mixed one is asked whether promises are kept. */
async function trial(name: string, rate: number, seed: number): Promise<Trial> {
  const params = await teach(lenet5Exits, regimes[name]!, { data, peak: rate, key: foldIn(key(seed), 7) });
  const [chosen, judged] = [
    scoreTable(await recordExits(lenet5Exits, params, cut(images.validation)), policy),
    scoreTable(await recordExits(lenet5Exits, params, cut(mnist.test)), policy),
  ];
  const tested = curve(chosen, judged);
  const promises = name === 'mixed' && seed === 1 ? { promises: await keepsPromises(params) } : {};
  tf.dispose(params as tf.TensorContainer);
  say(`${name}, rate ${rate}, seed ${seed}: ${tested.map((share) => share.toFixed(4)).join(' ')}`);
  return { validated: mean(curve(chosen, chosen)), tested, ...promises };
}

const { run } = await tasksOf('claims-regimes', { trial });
// The rate is chosen on the first seed, for every regime from the same ones.
const names = Object.keys(regimes);
const first = await run(
  'trial',
  names.flatMap((name) => peaks.map((rate) => [name, rate, 1])),
);
const best = names.map((_, i) => {
  const tried = first.slice(i * peaks.length, (i + 1) * peaks.length);
  return tried.reduce((a, b) => (b.validated > a.validated ? b : a));
});
const rates = best.map((one) => peaks[first.indexOf(one) % peaks.length]!);
const more = quick ? [] : [2, 3];
const others = await run(
  'trial',
  names.flatMap((name, i) => more.map((seed) => [name, rates[i]!, seed])),
);
const results: Record<string, (readonly number[])[]> = {};
for (const [i, name] of names.entries()) {
  const rest = others.slice(i * more.length, (i + 1) * more.length);
  results[name] = [best[i]!, ...rest].map(({ tested }) => tested);
}
const { promises } = best[names.indexOf('mixed')]!;

const means = (name: string): number[] => results[name]!.map(mean);
table(
  names.map((name, i) => ({
    regime: name,
    rate: rates[i]!,
    ...Object.fromEntries(
      [...budgets, 1].map((budget, k) => [`at ${budget}`, mean(results[name]!.map((one) => one[k]!))]),
    ),
    mean: mean(means(name)),
    sd: quick ? 0 : standardDeviation(means(name)),
  })),
);

const { budgetError, violations, leftEarly } = promises!;
console.log(
  `risk ${risk} at level ${delta}: violated in ${(100 * violations).toFixed(1)} % of ${splits} splits, ${(100 * leftEarly).toFixed(1)} % leave early`,
);
const average = (name: string): number => mean(means(name));
finish(
  'claims-regimes',
  {
    joint: average('joint'),
    disjoint: average('disjoint'),
    mixed: average('mixed'),
    mixed_minus_joint: average('mixed') - average('joint'),
    mixed_minus_disjoint: average('mixed') - average('disjoint'),
    held: Number(average('mixed') >= Math.max(average('joint'), average('disjoint'))),
    budget_error: budgetError,
    risk_violations: violations,
    risk_bound: delta + 2 * Math.sqrt((delta * (1 - delta)) / splits),
    risk_left_early: leftEarly,
  },
  'runs',
);
