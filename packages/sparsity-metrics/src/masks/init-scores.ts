import {
  FrugalError,
  hvp,
  type Module,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMap,
  valueAndGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Amount, countToCut } from './amount.ts';
import { applyMasks, type Masks, weightsOnly } from './masks.ts';
import { type PruneOptions, pruneByScores } from './prune.ts';

/**
 * Cuts, before any training, the weights without which most of the gradient's flow stays (GraSP, arXiv 2002.07376).
 *
 * Scores are w · (H g), with g the gradient and H the Hessian of the loss; the smallest are cut, so those whose removal would raise ‖g‖² go first.
 *
 * @param loss The mean loss on some examples as a function of the parameters, a scalar; its kernels need JVP rules.
 * @param amount As of `pruneByScores`.
 * @returns Masks; the caller owns them.
 * @throws {FrugalError} As `pruneByScores`; `NO_JVP_RULE` where a kernel has no forward derivative.
 */
export async function graspMasks<P extends Tree>(
  params: P,
  loss: (params: P) => tf.Scalar,
  amount: Amount,
  options: PruneOptions = {},
): Promise<Masks> {
  const [value, grads] = valueAndGrad(loss)(params);
  const product = hvp(loss, params, grads) as Tree;
  const scores = treeMap((w, h) => tf.mul(w, h!), params as Tree, product);
  treeDispose([value, grads, product]);
  try {
    return await pruneByScores(scores, amount, options);
  } finally {
    treeDispose(scores);
  }
}

/** Options of `synflowMasks`. */
export interface SynflowOptions extends Pick<PruneOptions, 'masks' | 'prunable'> {
  /** Cuts in so many rounds, by equal factors, with scores in between; one round may cut a layer whole. Default 100. */
  rounds?: number;
}

/**
 * Cuts without data the weights that carry the least synaptic flow (SynFlow, arXiv 2006.05467).
 *
 * R = Σ f(|θ|; 1), the sum of the outputs for an input of ones with all parameters positive; scores are θ · ∂R/∂θ, which flow conserves from
 * layer to layer. All layers are ranked together.
 *
 * @param model Has no norms, whose outputs do not grow with their inputs.
 * @param inputShape Of a batch of one, e.g. `[1, 784]`.
 * @param amount A share of what is left, `{ count }` or `{ sparsity }`.
 * @returns Masks; the caller owns them.
 * @throws {FrugalError} `BAD_OPTION`; `BAD_SCORES` if the flow is not finite, as in very deep or wide models.
 */
export async function synflowMasks<P extends Tree>(
  model: Pick<Module<P>, 'apply'>,
  params: P,
  inputShape: readonly number[],
  amount: Amount,
  options: SynflowOptions = {},
): Promise<Masks> {
  const { rounds = 100, masks: before, prunable = weightsOnly } = options;
  if (!(Number.isInteger(rounds) && rounds > 0)) {
    throw new FrugalError('BAD_OPTION', `synflowMasks: rounds must be a positive integer, got ${rounds}.`);
  }
  const ones = tf.ones([...inputShape]);
  const positive = treeMap((leaf) => tf.abs(leaf), params as Tree) as P;
  let masks = await pruneByScores(positive, 0, { ...(before && { masks: before }), prunable });
  try {
    const [left, total] = await counts(masks);
    const target = left - countToCut(amount, left, total);
    for (let round = 1; round <= rounds; round++) {
      const keep = Math.max(target, Math.round(left * (Math.max(target, 1) / left) ** (round / rounds)));
      const [now] = await counts(masks);
      const scores = flow(model, positive, masks, ones);
      const next = await pruneByScores(
        scores,
        { count: now - (round === rounds ? target : keep) },
        { masks, prunable },
      );
      treeDispose([scores, masks]);
      masks = next;
    }
    return masks;
  } finally {
    treeDispose([ones, positive]);
  }
}

/** |θ| · ∂R/∂|θ|. */
function flow<P extends Tree>(model: Pick<Module<P>, 'apply'>, positive: P, masks: Masks, ones: tf.Tensor): Tree {
  const masked = applyMasks(positive, masks);
  const [value, grads] = valueAndGrad((p: P) => tf.sum(model.apply(p, ones)))(masked);
  const scores = treeMap((w, g) => tf.mul(w, g!), masked as Tree, grads as Tree);
  treeDispose([value, grads, masked]);
  return scores;
}

async function counts(masks: Masks): Promise<[left: number, total: number]> {
  let [left, total] = [0, 0];
  for (const mask of treeLeaves(masks)) {
    for (const value of await mask.data()) left += value as number;
    total += mask.size;
  }
  return [left, total];
}
