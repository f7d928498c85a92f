import { foldIn, isTensor, type Key, type Module, type Tree, treeClone, treeGraft } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../check.ts';
import { type MoeLayer, moe } from '../moe.ts';
import type { Router } from '../router.ts';
import { normRouter } from '../routers/norm.ts';
import { projectionUnits } from './projection-network.ts';
import { type FeedForward, splitFeedForward } from './split.ts';

/** Options of `expertBlock`. */
export interface ExpertBlockOptions {
  /** Of each layer; divides its hidden units. Default 12. */
  experts?: number;
  /** Hidden width of the feed-forward network ÷ dim. Default 4. */
  mlpRatio?: number;
  /** What the network has. Default `'relu'`. */
  activation?: 'relu' | 'gelu';
  /** Whether the projections of attention are cut too; they must have been replaced by `networkBlock` before. Default false. */
  projections?: boolean;
  /** Makes the router of a layer. Default `normRouter(dim, experts)`. */
  router?: (dim: number, experts: number) => Router;
}

/** What `transformerBlock`, `vit` and `gpt` of `@frugal/nn` take as options of a block. */
export interface ExpertBlock {
  readonly mlp: MoeLayer;
  readonly attention?: { readonly linear: (inFeatures: number, outFeatures: number, name: string) => Module<never> };
}

/**
 * Experts for a transformer block, to be cut out of its trained feed-forward network (MoEfication, D2DMoE), and out of the networks that
 * stand for its projections:
 *
 *     const model = vit({ dim: 64, feedForward: { activation: 'relu' }, block: () => expertBlock(64) });
 *
 * @param dim Width of a token.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function expertBlock(dim: number, options: ExpertBlockOptions = {}): ExpertBlock {
  const { experts = 12, mlpRatio = 4, activation = 'relu', projections = false } = options;
  const router = options.router ?? ((dim, experts) => normRouter(dim, experts) as unknown as Router);
  const units = Math.round(dim * mlpRatio);
  checkNumber('expertBlock: hidden units ÷ experts', units / experts, { min: 1, integer: true });
  const mlp = moe(router(dim, experts), dim, units / experts, { kind: activation });
  if (!projections) return { mlp };
  const linear = (from: number, to: number): Module<never> => {
    const width = projectionUnits(from, to, experts) / experts;
    // `nn` types its blocks for dense projections; the tree of this one is a `MoeParams`.
    return moe(router(from, experts), from, width, { kind: activation, out: to }) as unknown as Module<never>;
  };
  return { mlp, attention: { linear } };
}

/** Options of `expertParams`. */
export interface ExpertParamsOptions {
  readonly key: Key;
  /** Outputs of the activation [tokens, hidden] by the layers' paths: splits by co-activation there, instead of by weights. */
  readonly activity?: Readonly<Record<string, tf.Tensor2D>>;
}

const isMoe = (node: Tree): node is { readonly router: Tree; readonly experts: Tree } =>
  !isTensor(node) && !Array.isArray(node) && 'router' in node && 'experts' in node;

/**
 * Parameters for a model with experts out of the trained parameters of the dense one: each network `{ fc1, fc2 }` is cut into experts
 * that together compute what it computed, routers stay fresh, everything else is copied. Teach the routers next (`routerLoss`).
 *
 * @param fresh Of the model with experts, by its `init`; stays the caller's.
 * @param trained Of the dense model, the same in all else.
 * @returns New tensors.
 * @throws {FrugalError} `BAD_TREE` where the two do not fit, by path.
 */
export async function expertParams<P extends Tree>(
  fresh: P,
  trained: Tree,
  { key, activity = {} }: ExpertParamsOptions,
): Promise<P> {
  const places: { path: string; network: FeedForward; experts: number }[] = [];
  const survey = treeGraft(fresh, trained, (mine, network, path) => {
    if (!isMoe(mine)) return undefined;
    const { w1 } = mine.experts as { w1: tf.Tensor3D };
    places.push({ path, network: network as unknown as FeedForward, experts: w1.shape[0] });
    return {};
  });
  tf.dispose(survey as tf.TensorContainer);
  const cut = new Map<string, Tree>();
  for (const [i, { path, network, experts }] of places.entries()) {
    cut.set(path, await splitFeedForward(network, experts, { key: foldIn(key, i), activity: activity[path] }));
  }
  const whole = treeGraft(fresh, trained, (mine, _, path) =>
    isMoe(mine) ? { router: treeClone(mine.router), ...(treeClone(cut.get(path)!) as object) } : undefined,
  );
  for (const parts of cut.values()) tf.dispose(parts as tf.TensorContainer);
  return whole;
}
