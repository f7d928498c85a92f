// What runs/agreement.sh runs: do different kinds of dynamic network find the same images hard? Exits, dynamic-k experts and boosted tokens are made
// of the same dense vit, three seeds, at the same mean FLOPs; asked is how the FLOPs that each test image gets are ranked.
import { readMnist } from '@frugal/datasets/node';
import {
  calibrateBudget,
  exitLoss,
  maxProbability,
  plainHead,
  recordExits,
  runExits,
  scoreTable,
  withExits,
} from '@frugal/early-exit';
import type { Lesson } from '@frugal/example-mnist';
import { expertNorms, moe, normRouter, runModel as runExperts, splitFeedForward } from '@frugal/moe';
import { dense as linear } from '@frugal/nn';
import { agreement } from '@frugal/sparsity-metrics';
import {
  calibratePlans,
  type Dataset,
  foldIn,
  key,
  type Labelled,
  type LossFunction,
  type Module,
  mean,
  meter,
  type Staged,
  type Tree,
  treeClone,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import {
  boostedBlock,
  boostLoss,
  boostParams,
  calibrateBudget as calibrateTilt,
  distillLoss,
  gateLoss,
  runModel as runBoosted,
} from '@frugal/token-boost';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { backbone, images, SIZES, task, taskLoss, teach } from '../recipe.ts';

const SEEDS = quick ? [1, 2] : [1, 2, 3];
const IMAGES = quick ? 1_000 : 12_000;
const EPOCHS = quick ? { dense: 1, heads: 1, routers: 1, boost: 1 } : { dense: 6, heads: 2, routers: 2, boost: 2 };
/** Mean FLOPs of an image ÷ those of the dense net. */
const BUDGET = 0.75;
const EXPERTS = 12;

await useBackend(wasm({ threads: 1 }));
const started = performance.now();
const minutes = (): string => `${((performance.now() - started) / 60_000).toFixed(1)} min`;
const mnist = await readMnist();
const dense = backbone();

/** What each test image costs, and how many answers are right. */
interface Scores {
  readonly cost: number[];
  readonly accuracy: number;
}

async function scoresOf(
  run: (x: tf.Tensor) => Promise<{ output: tf.Tensor; cost: number[] }>,
  data: Dataset<Labelled>,
): Promise<Scores> {
  const cost: number[] = [];
  let right = 0;
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const result = await run(x);
    const hits = tf.tidy(() => tf.sum(tf.cast(tf.equal(tf.argMax(result.output, 1), y), 'int32')));
    right += (await hits.data())[0]!;
    cost.push(...result.cost);
    tf.dispose([x, y, hits, result.output]);
  }
  return { cost, accuracy: right / data.size };
}

/** FLOPs of an image in the dense net. */
async function denseFlops(params: Tree, data: Dataset<Labelled>): Promise<number> {
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const { result, flops } = await meter(() => dense.apply(params, x));
    const each = flops / x.shape[0]!;
    tf.dispose([x, y, result]);
    return each;
  }
  throw new Error('There are no images.');
}

/** Heads on the mean token after the first and the second block, taught on the frozen net. */
async function byExits(params: Tree, data: Lesson, flops: number, seed: number): Promise<Scores> {
  const classifier = linear(SIZES.dim, 10);
  const head: Module<Tree> = {
    init: (k) => classifier.init(k),
    apply: (p, h) => tf.tidy(() => classifier.apply(p as never, tf.mean(h, 1))),
  };
  const model = withExits(
    dense as Staged<never>,
    [
      { at: 2, head: plainHead(head) },
      { at: 3, head: plainHead(head) },
    ] as never,
  );
  const first = {
    backbone: treeClone(params),
    heads: [head.init(foldIn(key(seed), 5)), head.init(foldIn(key(seed), 6))],
  };
  const loss = exitLoss(model, task, { regime: 'disjoint' }) as LossFunction<Tree, Labelled>;
  const all = await teach(loss, first as Tree, data.train, { epochs: EPOCHS.heads, peak: 5e-3, seed: seed + 30 });
  const scored = scoreTable(await recordExits(model, all as never, data.validation), maxProbability([1, 1]));
  const policy = maxProbability(calibrateBudget(scored, flops).thresholds);
  const scores = await scoresOf((x) => runExits(model, all as never, x, { policy }), data.test);
  treeDispose(all);
  return scores;
}

/** The feed-forward networks split into experts, with routers that learn the norms of what those say. */
async function byExperts(params: Tree, data: Lesson, flops: number, seed: number): Promise<Scores> {
  const layer = moe(normRouter(SIZES.dim, EXPERTS), SIZES.dim, (4 * SIZES.dim) / EXPERTS, { kind: 'relu' });
  const model = backbone(() => ({ mlp: layer }));
  const { blocks, ...rest } = treeClone(params) as { blocks: { mlp: Tree }[] } & Record<string, Tree>;
  const parts = await Promise.all(
    blocks.map(({ mlp }, i) => splitFeedForward(mlp as never, EXPERTS, { key: foldIn(key(seed), 40 + i) })),
  );
  const routers = blocks.map((_, i) => layer.router.init(foldIn(key(seed), 50 + i)));
  // The networks see what the second norm of their block gives.
  const loss: LossFunction<Tree, Labelled> = (trained, { x }) =>
    tf.tidy(() => {
      const inputs: tf.Tensor[] = [];
      const taps = { set: (path: string, y: tf.Tensor) => void (path.endsWith('norm2') && inputs.push(y.clone())) };
      dense.apply(params, x, { train: false, taps });
      const errors = inputs.map((h, i) => {
        const tokens = tf.reshape(h, [-1, SIZES.dim]) as tf.Tensor2D;
        const wanted = expertNorms(layer.experts, parts[i]!.experts as never, tokens);
        const said = tf.abs(layer.router.logits((trained as Tree[])[i] as never, tokens));
        return tf.mean(tf.reshape(tf.squaredDifference(said, wanted), [x.shape[0]!, -1]), 1);
      });
      return errors.reduce((a, b) => tf.add(a, b)) as tf.Tensor1D;
    });
  const learned = (await teach(loss, routers as Tree, data.train, {
    epochs: EPOCHS.routers,
    peak: 5e-3,
    seed: seed + 60,
  })) as Tree[];
  const all = {
    ...rest,
    blocks: blocks.map((block, i) => ({ ...block, mlp: { router: learned[i]!, ...parts[i]! } })),
  } as unknown as Tree;
  const { knob: tau } = await calibratePlans(model, all, data.validation, flops, {
    low: 0,
    high: 1,
    knobs: (tau) => ({ tau }),
  });
  const scores = await scoresOf((x) => runExperts(model, all, x, { tau }), data.test);
  treeDispose([all, ...blocks.map(({ mlp }) => mlp)]);
  return scores;
}

/** Every feed-forward network as a row of learners with a gate, taught in three phases. */
async function byBoost(params: Tree, data: Lesson, flops: number, seed: number): Promise<Scores> {
  const model = backbone(() => boostedBlock(SIZES.dim, { projections: false, activation: 'relu' }));
  const fresh = model.init(foldIn(key(seed), 7));
  let now: Tree = boostParams(fresh, params);
  treeDispose(fresh);
  const phases: [LossFunction<Tree, Labelled>, number][] = [
    [distillLoss(model, params), 4e-3],
    [gateLoss(model, params), 1e-2],
    [boostLoss(model, task, { target: 0.5 }), 1e-3],
  ];
  for (const [i, [loss, peak]] of phases.entries()) {
    now = await teach(loss, now, data.train, { epochs: EPOCHS.boost, peak, seed: seed + 70 + i });
  }
  const { tilt } = await calibrateTilt(model, now, data.validation, flops);
  const scores = await scoresOf((x) => runBoosted(model, now, x, { tilt }), data.test);
  treeDispose(now);
  return scores;
}

/** Loss and margin (lead of the right logit, turned round, so that hard is large) of the dense net. */
async function byAnswers(
  params: Tree,
  data: Dataset<Labelled>,
): Promise<{ loss: number[]; margin: number[]; accuracy: number }> {
  const [loss, margin]: [number[], number[]] = [[], []];
  let right = 0;
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const logits = dense.apply(params, x);
    const losses = task(logits, y);
    const [z, labels, each] = [await logits.data(), await y.data(), await losses.data()];
    loss.push(...each);
    for (const [i, label] of labels.entries()) {
      const row = Array.from(z.slice(10 * i, 10 * (i + 1)));
      const own = row[label]!;
      const lead = own - Math.max(...row.filter((_, c) => c !== label));
      margin.push(-lead);
      if (lead > 0) right++;
    }
    tf.dispose([x, y, logits, losses]);
  }
  return { loss, margin, accuracy: right / data.size };
}

const methods: Record<string, number[][]> = { exits: [], experts: [], boost: [], loss: [], margin: [] };
const accuracies: Record<string, number[]> = { dense: [], exits: [], experts: [], boost: [] };
const spent: Record<string, number[]> = { exits: [], experts: [], boost: [] };
let classes: number[] = [];
for (const seed of SEEDS) {
  const data = images(mnist, seed, IMAGES);
  const params = await teach(taskLoss(dense), dense.init(foldIn(key(seed), 0)), data.train, {
    epochs: EPOCHS.dense,
    peak: 2e-3,
    seed,
  });
  const flops = BUDGET * (await denseFlops(params, data.test));
  const answers = await byAnswers(params, data.test);
  methods['loss']!.push(answers.loss);
  methods['margin']!.push(answers.margin);
  accuracies['dense']!.push(answers.accuracy);
  for (const [name, run] of [
    ['exits', byExits],
    ['experts', byExperts],
    ['boost', byBoost],
  ] as const) {
    const { cost, accuracy } = await run(params, data, flops, seed);
    methods[name]!.push(cost);
    accuracies[name]!.push(accuracy);
    spent[name]!.push((mean(cost) / flops) * BUDGET);
    console.log(
      `seed ${seed}, ${name}: ${(100 * accuracy).toFixed(2)} %, ${spent[name]!.at(-1)!.toFixed(3)} of the FLOPs, ${minutes()}`,
    );
  }
  treeDispose(params);
}
for await (const { x, y } of images(mnist, 1, IMAGES).test.batches({ key: key(0), epoch: 0 })) {
  classes.push(...((await y.data()) as Int32Array));
  tf.dispose([x, y]);
}

// A part of the test images is enough for τ, whose intervals come from resampling them.
const rows = Array.from({ length: quick ? 500 : 4_000 }, (_, i) => i);
const part = Object.fromEntries(
  Object.entries(methods).map(([name, runs]) => [name, runs.map((run) => rows.map((i) => run[i]!))]),
);
classes = rows.map((i) => classes[i]!);
const overall = agreement(part, { key: key(9), resamples: 100 });
const within = agreement(part, { key: key(9), resamples: 100, classes });
const shown = ({ estimate, low, high }: { estimate: number; low: number; high: number }): string =>
  `${estimate.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
const figures: Record<string, number> = {};
const lines = [];
for (const [name, ceiling] of Object.entries(overall.ceilings)) {
  figures[`${name}_seeds_tau`] = ceiling!.estimate;
  lines.push({
    pair: `${name}, other seeds`,
    'tau-b': shown(ceiling!),
    'within classes': shown(within.ceilings[name]!),
    ceiling: '',
  });
}
const short: Record<string, string> = {
  exits: 'exit',
  experts: 'expert',
  boost: 'boost',
  loss: 'loss',
  margin: 'margin',
};
for (const [
  i,
  {
    methods: [a, b],
    correlation,
    ceiling,
  },
] of overall.pairs.entries()) {
  const name = `${short[a]}_${short[b]}_tau`;
  figures[name] = correlation.estimate;
  figures[`${name}_low`] = correlation.low;
  figures[`${name}_high`] = correlation.high;
  // Undefined where a method does not even agree with itself.
  if (!Number.isNaN(ceiling)) figures[`${name}_ceiling`] = ceiling;
  figures[`${name}_within_classes`] = within.pairs[i]!.correlation.estimate;
  lines.push({
    pair: `${a}, ${b}`,
    'tau-b': shown(correlation),
    'within classes': shown(within.pairs[i]!.correlation),
    ceiling: ceiling.toFixed(3),
  });
}
for (const [name, values] of Object.entries(accuracies)) figures[`${name}_accuracy`] = mean(values);
for (const [name, values] of Object.entries(spent)) figures[`${name}_flops_share`] = mean(values);
table(lines);
console.log(`\n${minutes()}`);
finish('agreement', figures, 'runs');
