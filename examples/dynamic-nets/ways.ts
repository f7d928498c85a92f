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
  networkBlock,
  networkParams,
  normRouter,
  projectionLoss,
  type Router,
  routerLoss,
  runModel as runExperts,
} from '@frugal/moe';
import { dense as denseLayer, flatten, sequential } from '@frugal/nn';
import {
  type Dataset,
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
  computeShares,
  distillLoss,
  gateLoss,
  runModel as runBoosted,
} from '@frugal/token-boost';
import type * as tf from '@tensorflow/tfjs-core';
import { backbone, SIZES, sparseLoss, TOKENS, task, teach } from './recipe.ts';

/** How long the fine-tuning is. */
export interface Tuning {
  /** Of one unit; every way has six units. */
  readonly epochs: number;
  readonly seed: number;
  /** Whether the projections of attention adapt too, so that budgets below what attention costs can be met. Default false. */
  readonly projections?: boolean;
}

/** A run of a batch, and what each token got of what there is, [examples · tokens] in [0, 1], mean over the layers. */
export interface WayRun extends DynamicRun {
  readonly shares: Float64Array;
}

/** A trained backbone made dynamic. */
export interface Way {
  readonly name: string;
  /** The network at a mean of `flops` an image, set on some data. */
  at(data: Dataset<Labelled>, flops: number): Promise<(x: tf.Tensor) => Promise<WayRun>>;
  /** Disposes the parameters. */
  free(): void;
}

/** Makes a trained dense backbone dynamic; `trained` stays the caller's. */
export type MakeWay = (trained: Tree, data: Lesson, tuning: Tuning, at: Key) => Promise<Way>;

/** Whole images leave before the first block or behind one, where the head there is sure enough. */
const exits: MakeWay = async (trained, data, { epochs, seed }, at) => {
  const head = () => plainHead(sequential([flatten(), denseLayer(TOKENS * SIZES.dim, 10)]));
  const points = Array.from({ length: SIZES.depth }, (_, block) => block + 1);
  const model = withExits(
    backbone(),
    points.map((at) => ({ at, head: head() })),
  );
  const fresh = model.init(at);
  treeDispose(fresh.backbone);
  const start = { backbone: treeClone(trained), heads: fresh.heads } as unknown as Tree;
  const loss = exitLoss(model, task) as unknown as LossFunction<Tree, Labelled>;
  const params = await teach(loss, start, data.train, { epochs: 6 * epochs, peak: 1e-3, seed });
  return {
    name: 'early exits',
    async at(data, flops) {
      const table = await recordExits(model, params as never, data);
      const { thresholds } = exitsAtBudget(scoreTable(table, maxProbability(points.map(() => 1))), flops);
      const policy = maxProbability(thresholds);
      return async (x) => {
        const run = await runExits(model, params as never, x, { policy, costs: table.costs });
        const blocks = (token: number): number => run.exits[Math.floor(token / TOKENS)]!;
        const shares = Float64Array.from({ length: TOKENS * x.shape[0]! }, (_, t) => blocks(t) / SIZES.depth);
        return { ...run, shares };
      };
    },
    free: () => treeDispose(params),
  };
};

/** Each token runs the experts of a feed-forward network that will matter for it. */
const experts: MakeWay = async (trained, data, { epochs, seed, projections = false }, at) => {
  // Three routers a block have to be cheap ones.
  const router = (dim: number, experts: number) => normRouter(dim, experts, { width: 8 }) as unknown as Router;
  const cut = { experts: 12, projections, ...(projections && { router }) };
  // Projections are linear: networks learn to stand for them first, as only hidden units can be dealt out to experts.
  const whole = projections ? backbone(() => networkBlock(cut)) : backbone();
  let start = treeClone(trained);
  if (projections) {
    const fresh = whole.init(foldIn(at, 2));
    const networks = networkParams(fresh, trained);
    treeDispose([fresh, start]);
    start = await teach(projectionLoss(whole, trained), networks, data.train, { epochs: 2 * epochs, peak: 4e-3, seed });
  }
  const tuned = await teach(sparseLoss(whole, 2), start, data.train, { epochs: 4 * epochs, peak: 1.5e-3, seed });
  const model = backbone(() => expertBlock(SIZES.dim, cut));
  const fresh = model.init(at);
  const parts = await expertParams(fresh, tuned, { key: foldIn(at, 1) });
  treeDispose([fresh, tuned]);
  const params = await teach(routerLoss(model), parts, data.train, { epochs: 2 * epochs, peak: 5e-3, seed: seed + 1 });
  return {
    name: 'experts',
    async at(data, flops) {
      const { tau } = await expertsAtBudget(model, params, data, flops, { tolerance: 0.01 });
      return async (x) => {
        const run = await runExperts(model, params, x, { tau });
        const shares = new Float64Array(TOKENS * run.cost.length);
        for (const { rows, experts } of run.plans.values()) {
          for (const token of rows) shares[token]! += 1 / experts / run.plans.size;
        }
        return { ...run, shares };
      };
    },
    free: () => treeDispose(params),
  };
};

/** Each token gets as many learners as it needs. */
const boost: MakeWay = async (trained, data, { epochs, seed, projections = false }, at) => {
  const model = backbone(() => boostedBlock(SIZES.dim, { projections, activation: 'relu' }));
  const fresh = model.init(at);
  const start = boostParams(fresh, trained);
  treeDispose(fresh);
  const phase = { epochs: 2 * epochs, peak: 4e-3, seed };
  const distilled = await teach(distillLoss(model, trained), start, data.train, phase);
  const gates = { epochs, peak: 1e-2, seed: seed + 1 };
  const gated = await teach(gateLoss(model, trained), distilled, data.train, gates);
  const end = { epochs: 3 * epochs, peak: 1e-3, seed: seed + 2 };
  const params = await teach(boostLoss(model, task, { target: 0.5 }), gated, data.train, end);
  return {
    name: 'token boost',
    async at(data, flops) {
      const { tilt } = await boostAtBudget(model, params, data, flops, { tolerance: 0.01 });
      return async (x) => {
        const run = await runBoosted(model, params, x, { tilt });
        return { ...run, shares: computeShares(run.plans) };
      };
    },
    free: () => treeDispose(params),
  };
};

/** The three ways, each of which gets as long a fine-tuning. */
export const ways: readonly MakeWay[] = [exits, experts, boost];
