import {
  exitLoss,
  calibrateBudget as exitsAtBudget,
  maxProbability,
  plainHead,
  recordExits,
  runExits,
  scoreTable,
  withExits,
} from '@frugal/early-exit';
import type { Lesson } from '@frugal/example-mnist';
import {
  expertBlock,
  expertParams,
  calibrateBudget as expertsAtBudget,
  routerLoss,
  runModel as runExperts,
  squaredHoyer,
} from '@frugal/moe';
import { dense as denseLayer, globalAvgPool, sequential } from '@frugal/nn';
import {
  type DynamicRun,
  foldIn,
  type Key,
  type Labelled,
  type LossFunction,
  type Tree,
  treeClone,
  treeDispose,
} from '@frugal/tensor';
import {
  calibrateBudget as boostAtBudget,
  boostedBlock,
  boostLoss,
  boostParams,
  distillLoss,
  gateLoss,
  runModel as runBoosted,
} from '@frugal/token-boost';
import * as tf from '@tensorflow/tfjs-core';
import { backbone, SIZES, task, teach } from './recipe.ts';

/** Epochs of one unit of fine-tuning. */
export interface Tuning {
  readonly epochs: number;
  readonly seed: number;
}

/** A dynamic network that costs what was asked; `free` disposes its parameters. */
export interface Way {
  readonly name: string;
  run(x: tf.Tensor): Promise<DynamicRun>;
  free(): void;
}

/** A trained dense backbone, made dynamic and calibrated to a mean of `flops` an image. */
export type MakeWay = (trained: Tree, data: Lesson, flops: number, tuning: Tuning, at: Key) => Promise<Way>;

/** Whole images leave after the first or the second block, where the head there is sure enough. */
const exits: MakeWay = async (trained, data, flops, { epochs, seed }, at) => {
  const head = () => plainHead(sequential([globalAvgPool(), denseLayer(SIZES.dim, 10)]));
  const model = withExits(backbone(), [
    { at: 2, head: head() },
    { at: 3, head: head() },
  ]);
  const fresh = model.init(at);
  treeDispose(fresh.backbone);
  const start = { backbone: treeClone(trained), heads: fresh.heads } as unknown as Tree;
  const loss = exitLoss(model, task) as unknown as LossFunction<Tree, Labelled>;
  const params = await teach(loss, start, data.train, { epochs: 3 * epochs, peak: 1e-3, seed });
  const table = await recordExits(model, params as never, data.validation);
  const scored = scoreTable(table, maxProbability([1, 1]));
  const { thresholds } = exitsAtBudget(scored, flops);
  const policy = maxProbability(thresholds);
  return {
    name: 'early exits',
    run: (x) => runExits(model, params as never, x, { policy, costs: table.costs }),
    free: () => treeDispose(params),
  };
};

/** Each token runs the experts of a feed-forward network that will matter for it. */
const experts: MakeWay = async (trained, data, flops, { epochs, seed }, at) => {
  const dense = backbone();
  /** The task, and a penalty on active hidden units: few experts are enough only where few units are active. */
  const sparse: LossFunction<Tree, Labelled> = (params, { x, y }, ctx) => {
    const penalties: tf.Tensor[] = [];
    const set = (path: string, output: tf.Tensor): void => {
      if (path.endsWith('.act')) penalties.push(tf.keep(tf.tidy(() => squaredHoyer(output))));
    };
    try {
      return tf.tidy(() => {
        const own = task(dense.apply(params, x, { ...ctx, taps: { set } }), y);
        return tf.add(own, tf.mul(tf.addN(penalties), 2 / penalties.length)) as tf.Tensor1D;
      });
    } finally {
      tf.dispose(penalties);
    }
  };
  const sparsified = await teach(sparse, treeClone(trained), data.train, { epochs: 2 * epochs, peak: 1.5e-3, seed });
  const model = backbone(() => expertBlock(SIZES.dim, { experts: 12 }));
  const fresh = model.init(at);
  const cut = await expertParams(fresh, sparsified, { key: foldIn(at, 1) });
  treeDispose([fresh, sparsified]);
  const params = await teach(routerLoss(model), cut, data.train, { epochs, peak: 5e-3, seed: seed + 1 });
  const { tau } = await expertsAtBudget(model, params, data.validation, flops, { tolerance: 0.01 });
  return { name: 'experts', run: (x) => runExperts(model, params, x, { tau }), free: () => treeDispose(params) };
};

/** Each token gets as many learners as it needs. */
const boost: MakeWay = async (trained, data, flops, { epochs, seed }, at) => {
  const model = backbone(() => boostedBlock(SIZES.dim, { projections: false, activation: 'relu' }));
  const fresh = model.init(at);
  const start = boostParams(fresh, trained);
  treeDispose(fresh);
  const distilled = await teach(distillLoss(model, trained), start, data.train, { epochs, peak: 4e-3, seed });
  const gated = await teach(gateLoss(model, trained), distilled, data.train, { epochs, peak: 1e-2, seed: seed + 1 });
  const loss = boostLoss(model, task, { target: 0.5 });
  const params = await teach(loss, gated, data.train, { epochs, peak: 1e-3, seed: seed + 2 });
  const { tilt } = await boostAtBudget(model, params, data.validation, flops, { tolerance: 0.01 });
  return { name: 'token boost', run: (x) => runBoosted(model, params, x, { tilt }), free: () => treeDispose(params) };
};

/** The three ways, each of which gets three units of fine-tuning. */
export const ways: readonly MakeWay[] = [exits, experts, boost];
