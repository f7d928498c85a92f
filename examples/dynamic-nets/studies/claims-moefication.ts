// What runs/claims-moefication.sh runs: how much of a trained network's feed-forward part can be left out? MoEfication (arXiv 2110.01786)
// of a plain ReLU vit and of one trained on with the squared Hoyer penalty, and D2DMoE (2310.04361) with a number of experts that differs
// from token to token. MNIST, three seeds; the control trains on as long without a penalty; k and τ are chosen on validation images.
import { readMnist } from '@frugal/datasets/node';
import type { Lesson } from '@frugal/example-mnist';
import { expertBlock, expertParams, normRouter, type Router, routerLoss, runModel } from '@frugal/moe';
import {
  type Dataset,
  foldIn,
  key,
  type Labelled,
  mean,
  standardDeviation,
  type Tree,
  treeClone,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { tasksOf } from '../../../benchmarks/support/tasks.ts';
import { backbone, denseFlops, images, measure, SIZES, sparseLoss, taskLoss, teach } from '../recipe.ts';

const SEEDS = quick ? [1] : [1, 2, 3];
const IMAGES = quick ? 1_000 : 12_000;
const JUDGED = quick ? { validation: 500, test: 500 } : {};
const EPOCHS = quick ? { dense: 1, more: 1, routers: 1 } : { dense: 5, more: 8, routers: 2 };
const WEIGHT = 2;
const TAUS = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98];

const started = performance.now();
const minutes = (): string => `${((performance.now() - started) / 60_000).toFixed(1)} min`;
await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const mnist = await readMnist();
const dense = backbone();
const withExperts = (experts: number, k?: number) =>
  backbone(() =>
    expertBlock(SIZES.dim, {
      experts,
      router: (dim, experts) => normRouter(dim, experts, k === undefined ? {} : { k }) as unknown as Router,
    }),
  );

/** Outputs of the activations on some images, by the paths of their networks, and the share of them above 0. */
async function activity(params: Tree, data: Dataset<Labelled>) {
  const hidden: Record<string, tf.Tensor2D> = {};
  for await (const { x, y } of data.batches({ key: key(1), epoch: 0 })) {
    const taps = {
      set(path: string, output: tf.Tensor) {
        if (!path.endsWith('.act')) return;
        hidden[path.slice(0, -'.act'.length)] = tf.keep(tf.reshape(output, [-1, output.shape.at(-1)!])) as tf.Tensor2D;
      },
    };
    tf.dispose([tf.tidy(() => dense.apply(params, x, { train: false, taps })), x, y]);
    break;
  }
  const share = tf.tidy(() =>
    tf.mean(tf.stack(Object.values(hidden).map((h) => tf.mean(tf.cast(tf.greater(h, 0), 'float32'))))),
  );
  const density = (await share.data())[0]!;
  share.dispose();
  return { hidden, density };
}

const denseRun = (params: Tree) => async (x: tf.Tensor) => ({ output: dense.apply(params, x), cost: [] });

/** Cuts a network into experts and teaches the routers. */
async function moefy(
  trained: Tree,
  experts: number,
  data: Lesson,
  seed: number,
  hidden?: Record<string, tf.Tensor2D>,
): Promise<Tree> {
  const model = withExperts(experts);
  const fresh = model.init(foldIn(key(seed), 11));
  const cut = await expertParams(fresh, trained, { key: foldIn(key(seed), 12), ...(hidden && { activity: hidden }) });
  treeDispose(fresh);
  return teach(routerLoss(model), cut, data.train, { epochs: EPOCHS.routers, peak: 5e-3, seed: seed + 40 });
}

/** Figures of one seed by the rows of the table. */
type Rows = Record<string, Record<string, number>>;

/** One setting on the test images, against what the dense networks reach there. */
async function judge(
  params: Tree,
  how: { experts: number; k?: number; tau?: number },
  data: Lesson,
  refs: { plain: number; flops: number },
): Promise<Record<string, number>> {
  const model = withExperts(how.experts, how.k);
  let [pairs, tokens] = [0, 0];
  const seen = await measure(
    (x) => runModel(model, params, x, { tau: how.tau }),
    data.test,
    ({ plans }) => {
      for (const plan of plans.values()) [pairs, tokens] = [pairs + plan.rows.length, tokens + plan.tokens];
    },
  );
  return {
    accuracy: seen.accuracy,
    quality: seen.accuracy / refs.plain,
    ffn: pairs / tokens / how.experts,
    cost: seen.flops / refs.flops,
    ...(how.tau !== undefined && { tau: how.tau }),
  };
}

/** The smallest τ that keeps 99 % of an accuracy on the validation images. */
async function chooseTau(params: Tree, experts: number, data: Lesson, wanted: number): Promise<number> {
  const model = withExperts(experts);
  for (const tau of TAUS) {
    const { accuracy } = await measure((x) => runModel(model, params, x, { tau }), data.validation);
    if (accuracy >= 0.99 * wanted) return tau;
  }
  return 1;
}

/** All networks of a seed, made and judged. */
async function study(seed: number): Promise<Rows> {
  const data = images(mnist, seed, IMAGES, JUDGED);
  // The better of 3e-3 and 6e-3 on the validation images of runs/vit-zeros.sh, whose nets are the same.
  const phase = { epochs: EPOCHS.dense, peak: 6e-3, seed };
  const first = await teach(taskLoss(dense), dense.init(foldIn(key(seed), 0)), data.train, phase);
  const more = { epochs: EPOCHS.more, peak: 1.5e-3, seed: seed + 10 };
  const control = await teach(taskLoss(dense), treeClone(first), data.train, more);
  const sparse = await teach(sparseLoss(dense, WEIGHT), first, data.train, more);
  const [plain, hoyer] = [await activity(control, data.train), await activity(sparse, data.train)];
  const reference = await measure(denseRun(control), data.test);
  const known = await measure(denseRun(control), data.validation);
  const sparsified = await measure(denseRun(sparse), data.test);
  const refs = { plain: reference.accuracy, flops: denseFlops(control) };

  const [byWeights, byActivity, finer] = [
    await moefy(control, 12, data, seed),
    await moefy(control, 12, data, seed, plain.hidden),
    await moefy(control, 24, data, seed),
  ];
  const fromSparse = await moefy(sparse, 24, data, seed);
  const top = (params: Tree, experts: number, k: number) => judge(params, { experts, k }, data, refs);
  const least = async (params: Tree, experts: number) =>
    judge(params, { experts, tau: await chooseTau(params, experts, data, known.accuracy) }, data, refs);
  const rows: Rows = {
    'dense, trained on': { accuracy: reference.accuracy, quality: 1, ffn: 1, cost: 1, density: plain.density },
    'dense, sparsified': {
      accuracy: sparsified.accuracy,
      quality: sparsified.accuracy / reference.accuracy,
      ffn: 1,
      cost: 1,
      density: hoyer.density,
    },
    'plain, 2 of 12': await top(byWeights, 12, 2),
    'plain, 3 of 12': await top(byWeights, 12, 3),
    'plain, 2 of 12 by co-activation': await top(byActivity, 12, 2),
    'plain, 3 of 12 by co-activation': await top(byActivity, 12, 3),
    'plain, 3 of 24': await top(finer, 24, 3),
    'plain, 6 of 24': await top(finer, 24, 6),
    'sparsified, 3 of 24': await top(fromSparse, 24, 3),
    'sparsified, 6 of 24': await top(fromSparse, 24, 6),
    'plain, τ for 99 %': await least(finer, 24),
    'sparsified, τ for 99 %': await least(fromSparse, 24),
  };
  treeDispose([control, sparse, byWeights, byActivity, finer, fromSparse, plain.hidden, hoyer.hidden]);
  console.log(`seed ${seed}: ${minutes()}`);
  return rows;
}

const { run, minutes: processorMinutes } = await tasksOf('claims-moefication', { study });
const rows: Record<string, Record<string, number[]>> = {};
for (const one of await run(
  'study',
  SEEDS.map((seed) => [seed]),
)) {
  for (const [row, values] of Object.entries(one)) {
    rows[row] ??= {};
    for (const [name, value] of Object.entries(values)) rows[row][name] = [...(rows[row][name] ?? []), value];
  }
}

const shown = (row: string, name: string, digits = 3): string => {
  const values = rows[row]?.[name];
  if (values === undefined) return '';
  const spread = values.length > 1 ? ` ± ${standardDeviation(values).toFixed(digits)}` : '';
  return `${mean(values).toFixed(digits)}${spread}`;
};
table(
  Object.keys(rows).map((row) => ({
    network: row,
    'test accuracy': shown(row, 'accuracy', 4),
    'quality kept': shown(row, 'quality'),
    'share of the networks run': shown(row, 'ffn'),
    'whole cost': shown(row, 'cost'),
    'active units': shown(row, 'density'),
    τ: shown(row, 'tau', 2),
  })),
);
const value = (row: string, name: string): number => mean(rows[row]![name]!);
const holds = (row: string): boolean => value(row, 'quality') >= 0.95 && value(row, 'ffn') <= 0.3;
const d2d = value('sparsified, τ for 99 %', 'quality') >= 0.99 && value('sparsified, τ for 99 %', 'cost') <= 0.6;
console.log(
  `MoEfication keeps 95 % at 10–30 %: plain ${holds('plain, 6 of 24') ? 'holds' : 'fails'}, sparsified ${holds('sparsified, 6 of 24') ? 'holds' : 'fails'}.`,
);
console.log(`D2DMoE saves 40 % at 99 %: ${d2d ? 'holds' : 'fails'}.`);
console.log(`It took ${minutes()}.`);
const figures: Record<string, number> = {
  plain_holds: Number(holds('plain, 6 of 24')),
  sparsified_holds: Number(holds('sparsified, 6 of 24')),
  d2dmoe_holds: Number(d2d),
};
for (const [row, measured] of Object.entries(rows)) {
  const short = row.replace('τ for 99 %', 'tau').replaceAll(/[ ,-]+/g, '_');
  for (const [name, values] of Object.entries(measured)) figures[`${short}_${name}`] = mean(values);
}
figures.processor_minutes = processorMinutes();
finish('claims-moefication', figures, 'runs');
