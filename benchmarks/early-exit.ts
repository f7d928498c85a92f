// Early exits on MNIST against the whole network: seconds, not FLOPs, on the wasm backend. The networks are read from
// benchmarks/checkpoints (runs/early-exit-checkpoint.sh writes them); thresholds are chosen here, on validation images.
import type { LabelledImages } from '@frugal/datasets';
import { readMnist } from '@frugal/datasets/node';
import {
  type ExitCosts,
  type ExitModel,
  type ExitParams,
  type ExitTable,
  exitCosts,
  exitTimes,
  headReports,
  maxProbability,
  pickColumns,
  pickExits,
  recordExits,
  riskControl,
  runExits,
  scoreTable,
} from '@frugal/early-exit';
import { key, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';
import { readExits } from './support/checkpoints.ts';
import { copyTree } from './support/copy-tree.ts';
import { batchesOf, lenet5Exits, lenetExits, parts } from './support/exit-lenet.ts';
import { addStockBackend } from './support/stock.ts';

/**
 * Thresholds are risk-controlled: at most so many of all images get a wrong answer early that the whole network would have right, with a
 * confidence of 95 % over validation sets: two of 5,000. (Chosen on halves of the validation images, docs/log.md.)
 */
const guarantee = { risk: 0.0015, delta: 0.05 };
const stock = await addStockBackend();
await useBackend(wasm({ threads: 1 }));
const mnist = await readMnist();
const { validation } = parts(mnist, { rest: 'rest', validation: 5000 });

type Params = ExitParams<never>;

/** A model whose thresholds are chosen. */
interface Chosen {
  readonly exits: readonly number[];
  readonly model: ExitModel;
  readonly params: Params;
  readonly thresholds: readonly number[];
  readonly costs: ExitCosts;
  /** Milliseconds that the validation images would take on average, one by one. */
  readonly time: number;
}

/** Of several sets of exits the one that takes least time at batch 1 under the guarantee. */
async function choose(
  model: ExitModel,
  params: Params,
  answers: ExitTable,
  sets: readonly (readonly number[])[],
): Promise<Chosen> {
  const image = imagesOf(mnist.test, 1, 1)[0]!;
  let best: Chosen | undefined;
  for (const exits of sets) {
    const some = pickExits(model, params, exits) as { model: ExitModel; params: Params };
    const times = await exitTimes(some.model, some.params, image, { repeats: 50 });
    const scored = scoreTable(pickColumns(answers, exits, times), maxProbability(exits.map(() => 1)));
    const { thresholds, cost, shares } = riskControl(scored, guarantee);
    console.log(
      `exits ${exits}: ${(1000 * cost).toFixed(0)} µs, leaving ${shares.map((share) => (100 * share).toFixed(1)).join(' / ')} %`,
    );
    if (best !== undefined && best.time <= cost) continue;
    const costs = exitCosts(some.model, some.params, image);
    best = { ...some, exits, thresholds, costs, time: cost };
  }
  image.dispose();
  return best!;
}

/** Images of a set as tensors of `size` images each, evenly spread. */
function imagesOf(set: LabelledImages, size: number, count: number): tf.Tensor[] {
  const every = Math.floor(set.size / (size * count));
  return Array.from({ length: count }, (_, i) => {
    const rows = Array.from({ length: size }, (__, j) => (i * size + j) * every);
    const pixels = new Float32Array(size * 784);
    for (const [j, row] of rows.entries()) {
      for (let k = 0; k < 784; k++) pixels[j * 784 + k] = (set.x[row * 784 + k]! / 255 - 0.1307) / 0.3081;
    }
    return tf.tensor4d(pixels, [size, 28, 28, 1]);
  });
}

interface Judged {
  readonly gap: number;
  readonly accuracy: number;
  readonly shares: readonly number[];
  /** FLOPs ÷ those of the network without exits. */
  readonly flops: number;
}

/** What the chosen thresholds do on the test images, by running them. */
async function judge({ model, params, thresholds, costs }: Chosen): Promise<Judged> {
  const policy = maxProbability(thresholds);
  const left = new Array<number>(model.exitCount).fill(0);
  let [right, whole, flops] = [0, 0, 0];
  for await (const { x, y } of batchesOf(mnist.test, 500).batches({ key: key(0), epoch: 0 })) {
    const run = await runExits(model, params, x, { policy, costs });
    for (const exit of run.exits) left[exit]!++;
    flops += run.cost.reduce((sum, one) => sum + one, 0);
    const full = model.apply(params as never, x);
    const count = (logits: tf.Tensor): tf.Tensor => tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), y), 'int32'));
    const counts = tf.tidy(() => [run.output, full].map(count));
    right += (await counts[0]!.data())[0]!;
    whole += (await counts[1]!.data())[0]!;
    tf.dispose([x, y, run.output, full, counts]);
  }
  const size = mnist.test.size;
  return {
    gap: (whole - right) / size,
    accuracy: whole / size,
    shares: left.map((count) => count / size),
    flops: flops / size / costs.full,
  };
}

/** Milliseconds per image of the whole network, by the fastest kernels, and with exits. */
async function time(
  { model, params, thresholds, costs }: Chosen,
  size: number,
): Promise<{ full: number; ours: number }> {
  const policy = maxProbability(thresholds);
  // All test images with exits, so that shares are right; the whole network takes the same time for any image.
  const all = imagesOf(mnist.test, size, Math.floor((quick ? 1024 : 10_000) / size));
  const some = all.slice(0, size === 1 ? 100 : 1);
  const elsewhere = await copyTree(stock, { backbone: params.backbone, some });
  const whole = (backbone: never, images: readonly tf.Tensor[]) => async () => {
    for (const x of images) {
      const y = model.backbone.apply(backbone, x);
      await y.data();
      y.dispose();
    }
  };
  const sides = {
    own: whole(params.backbone as never, some),
    stock: whole(elsewhere.backbone as never, elsewhere.some as tf.Tensor[]),
    exits: async () => {
      for (const x of all) (await runExits(model, params, x, { policy, costs })).output.dispose();
    },
  };
  const times = await interleave(sides, {
    ...{ rounds: quick ? 5 : 9, sampleTime: 1, warmUp: 1 },
    before: (name) => tf.setBackend(name === 'stock' ? stock : 'wasm'),
  });
  await tf.setBackend('wasm');
  const full = Math.min(times.own.best, times.stock.best) / (some.length * size);
  const ours = times.exits.best / (all.length * size);
  tf.dispose([all, elsewhere] as tf.TensorContainer);
  return { full, ours };
}

const figures: Record<string, number> = {};
const rows: Record<string, string | number>[] = [];
const shares: number[] = [];
const gaps: number[] = [];

/** Chooses, judges and times; a row of the table for each size of a batch. */
async function measure(name: string, chosen: Chosen): Promise<readonly [one: number, many: number]> {
  const { gap, accuracy, shares: left, flops } = await judge(chosen);
  const factors: number[] = [];
  for (const size of [1, 256]) {
    const { full, ours } = await time(chosen, size);
    factors.push(full / ours);
    const shown = (1 - ours / full) / (1 - flops);
    if (name !== 'LeNet-5') shares.push(shown);
    rows.push({
      network: name,
      exits: chosen.exits.join(', '),
      'leaving %': left.map((share) => (100 * share).toFixed(1)).join(' / '),
      batch: size,
      'full µs': 1000 * full,
      'exits µs': 1000 * ours,
      faster: full / ours,
      'FLOPs ÷': 1 / flops,
      'share of saving': shown,
      'full %': 100 * accuracy,
      'lost points': 100 * gap,
    });
  }
  if (name !== 'LeNet-5') gaps.push(gap);
  figures.full_accuracy ??= accuracy;
  return factors as [number, number];
}

const lenet = await readExits('lenet', lenetExits);
const answers = await recordExits(lenetExits, lenet, batchesOf(validation, 500));
table(
  headReports(answers).map(({ accuracy, ece, auroc, cost }, exit) => ({
    'on validation images': exit < 4 ? `exit ${exit}` : 'the end',
    ...{ accuracy, 'calibration error': ece, 'AUROC of confidence': auroc, FLOPs: cost },
  })),
);
const later = [[1], [2], [1, 2], [1, 3], [2, 3], [1, 2, 3]];
const fromInput = await choose(
  lenetExits,
  lenet,
  answers,
  later.map((exits) => [0, ...exits]),
);
[figures.batch1, figures.batch256] = await measure('LeNet', fromInput);
const afterConv1 = await choose(lenetExits, lenet, answers, later);
figures.after_conv1 = Math.min(...(await measure('LeNet, after conv1', afterConv1)));
tf.dispose(lenet as unknown as tf.TensorContainer);

const lenet5 = await readExits('lenet5', lenet5Exits);
const classic = await recordExits(lenet5Exits, lenet5, batchesOf(validation, 500));
[figures.lenet5_batch1, figures.lenet5_batch256] = await measure(
  'LeNet-5',
  await choose(lenet5Exits, lenet5, classic, [[0], [1], [0, 1]]),
);
table(rows);
finish('early-exit', { ...figures, accuracy_gap: Math.max(...gaps), time_share: Math.min(...shares) });
