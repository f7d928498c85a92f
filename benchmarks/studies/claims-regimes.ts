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

await useBackend(wasm());
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

const peaks = quick ? [2e-3] : [1.5e-3, 3e-3];
const results: Record<string, number[][]> = {};
let kept: Params | undefined;
for (const [name, regime] of Object.entries(regimes)) {
  let peak = peaks[0]!;
  results[name] = [];
  const learn = (seed: number, rate: number): Promise<Params> =>
    teach(lenet5Exits, regime, { data, peak: rate, key: foldIn(key(seed), 7) });
  const validated = async (params: Params): Promise<number> => {
    const scored = scoreTable(await recordExits(lenet5Exits, params, cut(images.validation)), policy);
    return mean(curve(scored, scored));
  };
  for (const seed of quick ? [1] : [1, 2, 3]) {
    let params: Params | undefined;
    if (seed === 1) {
      // The rate is chosen on the first seed, for every regime from the same ones.
      let best = -1;
      for (const rate of peaks) {
        const tried = await learn(seed, rate);
        const value = await validated(tried);
        const [better, worse] = value > best ? [tried, params] : [params, tried];
        if (value > best) [best, peak] = [value, rate];
        params = better;
        if (worse) tf.dispose(worse as tf.TensorContainer);
      }
    } else params = await learn(seed, peak);
    const chosen = scoreTable(await recordExits(lenet5Exits, params!, cut(images.validation)), policy);
    const judged = scoreTable(await recordExits(lenet5Exits, params!, cut(mnist.test)), policy);
    results[name]!.push(curve(chosen, judged));
    say(
      `${name}, rate ${peak}, seed ${seed}: ${results[name]!.at(-1)!
        .map((share) => share.toFixed(4))
        .join(' ')}`,
    );
    if (name === 'mixed' && seed === 1) kept = params;
    else tf.dispose(params as unknown as tf.TensorContainer);
  }
}

const means = (name: string): number[] => results[name]!.map(mean);
table(
  Object.keys(regimes).map((name) => ({
    regime: name,
    ...Object.fromEntries(
      [...budgets, 1].map((budget, i) => [`at ${budget}`, mean(results[name]!.map((one) => one[i]!))]),
    ),
    mean: mean(means(name)),
    sd: quick ? 0 : standardDeviation(means(name)),
  })),
);

// Promises, on the first mixed network.
const calibration = await recordExits(lenet5Exits, kept!, cut(images.calibration));
const test = await recordExits(lenet5Exits, kept!, cut(mnist.test));
const [chosen, judged] = [calibration, test].map((one) => scoreTable(one, policy)) as [ScoredTable, ScoredTable];
const least = chosen.costs.cumulative[0]! / chosen.costs.full;
// Below its first exit no network can go.
const shares = [0.3, 0.4, 0.5, 0.6, 0.7].filter((share) => share > least);
const misses = shares.map((share) => {
  const asked = share * chosen.costs.full;
  const { thresholds } = calibrateBudget(chosen, asked);
  return Math.abs(outcomeOf(judged, exitsOf(judged, thresholds)).cost / asked - 1);
});

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

const pooled = scoreTable(pool(calibration, test), policy);
const [risk, delta, splits] = [0.002, 0.1, quick ? 20 : 200];
const end = pooled.correct.length - 1;
let violations = 0;
let left = 0;
for (let split = 0; split < splits; split++) {
  const rows = Int32Array.from(randomPermutation(foldIn(key(99), split), pooled.size).subarray(0, pooled.size / 4));
  const pick = <T extends Float32Array | Uint8Array>(column: T): T =>
    (column.constructor as unknown as { from(rows: Int32Array, f: (row: number) => number): T }).from(
      rows,
      (row) => column[row]!,
    );
  const some = { ...pooled, size: rows.length, scores: pooled.scores.map(pick), correct: pooled.correct.map(pick) };
  const { thresholds } = riskControl(some, { risk, delta });
  const exits = exitsOf(pooled, thresholds);
  const worse = exits.reduce((n, exit, i) => n + Number(pooled.correct[end]![i]! > pooled.correct[exit]![i]!), 0);
  violations += Number(worse / pooled.size > risk) / splits;
  left += exits.reduce((n, exit) => n + Number(exit < end), 0) / pooled.size / splits;
}
console.log(
  `risk ${risk} at level ${delta}: violated in ${(100 * violations).toFixed(1)} % of ${splits} splits, ${(100 * left).toFixed(1)} % leave early`,
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
    budget_error: Math.max(...misses),
    risk_violations: violations,
    risk_bound: delta + 2 * Math.sqrt((delta * (1 - delta)) / splits),
    risk_left_early: left,
  },
  'runs',
);
