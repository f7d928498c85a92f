// What runs/agreement.sh runs: do different kinds of dynamic network find the same images hard? Each of three trained vits is made dynamic in the
// three ways of this example, at the same mean FLOPs; asked is whether they rank the test images alike by the FLOPs that each image gets.
import { writeFileSync } from 'node:fs';
import { readMnist } from '@frugal/datasets/node';
import { agreement, agreementSvg, difficulty, type PairAgreement } from '@frugal/sparsity-metrics';
import {
  type Dataset,
  foldIn,
  type Interval,
  kendallTau,
  key,
  type Labelled,
  mean,
  type Tree,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { backbone, denseFlops, images, measure, task, taskLoss, teach } from '../recipe.ts';
import { ways } from '../ways.ts';

const SEEDS = quick ? [1, 2] : [1, 2, 3];
const SIZES = quick ? { train: 640, validation: 500, test: 500 } : { train: 12_000, validation: 5_000, test: 10_000 };
const EPOCHS = quick ? { dense: 1, unit: 0.2 } : { dense: 6, unit: 1 };
/** Mean FLOPs of an image ÷ those of the dense net. */
const BUDGET = 0.7;
const NAMES = ['exit', 'expert', 'boost'] as const;

await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const started = performance.now();
const minutes = (): string => `${((performance.now() - started) / 60_000).toFixed(1)} min`;
const mnist = await readMnist();
const model = backbone();
const lessonOf = (seed: number) => images(mnist, seed, SIZES.train, SIZES);

/** Loss and margin of the dense net: how far the best wrong logit is ahead of the right one, so that hard is large. */
async function answers(params: Tree, data: Dataset<Labelled>) {
  const [loss, margin]: [number[], number[]] = [[], []];
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const logits = model.apply(params, x);
    const losses = task(logits, y);
    const [values, labels] = [await logits.data(), await y.data()];
    loss.push(...(await losses.data()));
    for (const [i, label] of labels.entries()) {
      const row = Array.from(values.subarray(10 * i, 10 * (i + 1)));
      margin.push(Math.max(...row.filter((_, c) => c !== label)) - row[label]!);
    }
    tf.dispose([x, y, logits, losses]);
  }
  return { loss, margin, accuracy: mean(margin.map((lead) => Number(lead < 0))) };
}

/** By method and seed, how hard each test image was. */
const scores: Record<string, number[][]> = { exit: [], expert: [], boost: [], loss: [], margin: [] };
const accuracies: Record<string, number[]> = { dense: [], exit: [], expert: [], boost: [] };
const spent: Record<string, number[]> = { exit: [], expert: [], boost: [] };
for (const seed of SEEDS) {
  const data = lessonOf(seed);
  const phase = { epochs: EPOCHS.dense, peak: 3e-3, seed };
  const trained = await teach(taskLoss(model), model.init(foldIn(key(seed), 0)), data.train, phase);
  const flops = denseFlops(trained);
  const { accuracy, ...dense } = await answers(trained, data.test);
  accuracies.dense!.push(accuracy);
  for (const [name, values] of Object.entries(dense)) scores[name]!.push(values);
  for (const [i, name] of NAMES.entries()) {
    const way = await ways[i]!(trained, data, { epochs: EPOCHS.unit, seed: seed + 10 * i }, foldIn(key(seed), 1 + i));
    const cost: number[] = [];
    const run = await way.at(data.validation, BUDGET * flops);
    const seen = await measure(run, data.test, (one) => cost.push(...one.cost));
    way.free();
    scores[name]!.push(cost);
    accuracies[name]!.push(seen.accuracy);
    spent[name]!.push(seen.flops / flops);
    const [right, share] = [(100 * seen.accuracy).toFixed(2), (seen.flops / flops).toFixed(3)];
    console.log(`seed ${seed}, ${way.name}: ${right} %, ${share} of the FLOPs, ${minutes()}`);
  }
  treeDispose(trained);
}

const classes: number[] = [];
for await (const { x, y } of lessonOf(1).test.batches({ key: key(0), epoch: 0 })) {
  classes.push(...(await y.data()));
  tf.dispose([x, y]);
}
// Methods of one seed share a backbone: they are kept apart from pairs of different seeds, as the ceilings are of different seeds too.
const options = { key: key(9), resamples: 100, related: true };
const overall = agreement(scores, options);
const within = agreement(scores, { ...options, classes });
const averaged = Object.fromEntries(Object.entries(scores).map(([name, runs]) => [name, difficulty(runs)]));

const figures: Record<string, number> = {};
/** Notes a figure with its interval; undefined figures (a method that never varies) stay out. */
function note(name: string, { estimate, low, high }: Interval): string {
  for (const [ending, value] of Object.entries({ '': estimate, _low: low, _high: high })) {
    if (!Number.isNaN(value)) figures[name + ending] = value;
  }
  return `${estimate.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}
const ofPair = ({ methods: [a, b], correlation, related, ceiling }: PairAgreement, inside: PairAgreement) => {
  const name = `${a}_${b}_tau`;
  if (!Number.isNaN(ceiling)) figures[`${name}_ceiling`] = ceiling;
  figures[`${name}_averaged`] = kendallTau(averaged[a]!, averaged[b]!);
  return {
    methods: `${a}, ${b}`,
    'tau-b, other seeds': note(name, correlation),
    ceiling: ceiling.toFixed(3),
    'one backbone': note(`${name}_one_backbone`, related!),
    'ranks averaged': figures[`${name}_averaged`]!.toFixed(3),
    'within classes': note(`${name}_within`, inside.correlation),
    'its ceiling': inside.ceiling.toFixed(3),
  };
};
const rows: Record<string, string>[] = Object.entries(overall.ceilings).map(([name, ceiling]) => ({
  methods: `${name}, itself`,
  'tau-b, other seeds': note(`${name}_seeds_tau`, ceiling!),
  'within classes': note(`${name}_seeds_tau_within`, within.ceilings[name]!),
}));
table([...rows, ...overall.pairs.map((pair, i) => ofPair(pair, within.pairs[i]!))]);
for (const [name, values] of Object.entries(accuracies)) figures[`${name}_accuracy`] = mean(values);
for (const [name, values] of Object.entries(spent)) figures[`${name}_flops_share`] = mean(values);
figures.minutes = (performance.now() - started) / 60_000;
if (!quick) writeFileSync(new URL('../../../docs/results/agreement.svg', import.meta.url), agreementSvg(overall));
console.log(`It took ${minutes()}.`);
finish('agreement', figures, 'runs');
