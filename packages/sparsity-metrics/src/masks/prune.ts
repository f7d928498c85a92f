import {
  FrugalError,
  foldIn,
  type Key,
  randomUniform,
  type Tree,
  treeDispose,
  treeEntries,
  treeMap,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Amount, countToCut } from './amount.ts';
import { checkMasks, type Masks, type Prunable, weightsOnly } from './masks.ts';
import { smallest } from './select.ts';

/** Options of all prunings. */
export interface PruneOptions {
  /** What loses its share: all parameters ranked together, each parameter, or each unit (last axis) of each. Default `'global'`. */
  scope?: 'global' | 'layer' | 'unit';
  /** What was cut before: it stays cut, and only what is left is ranked. */
  masks?: Masks;
  /** Which parameters may be pruned. Default: those of rank 2 and more. */
  prunable?: Prunable;
}

interface Ranked {
  readonly path: string;
  readonly shape: readonly number[];
  readonly scores: Float32Array;
  readonly alive: Uint8Array;
}

/**
 * Cuts the weights with the smallest scores: what all prunings have in common.
 *
 * The semantics are those of `torch.nn.utils.prune` with `importance_scores`: repeated calls cut what is left, and a share
 * is one of what is left. Of equal scores the first are cut.
 *
 * @param scores A tree like the parameters; only the leaves that may be pruned are read.
 * @param amount A share of what is left, `{ count }` or `{ sparsity }` to reach; per parameter with `scope: 'layer'` (per
 *   unit with `'unit'`), where it may be a function of the path.
 * @returns New masks of all parameters that may be pruned; the caller owns them.
 * @throws {FrugalError} `BAD_OPTION` for an amount out of range, `MASK_MISMATCH` for masks of another tree, `BAD_SCORES` for a NaN.
 */
export async function pruneByScores(
  scores: Tree,
  amount: Amount | ((path: string) => Amount),
  options: PruneOptions = {},
): Promise<Masks> {
  const { scope = 'global', masks = {}, prunable = weightsOnly } = options;
  checkMasks(masks, scores);
  if (scope === 'global' && typeof amount === 'function') {
    throw new FrugalError('BAD_OPTION', "amount is a function of the path, which needs scope: 'layer' or 'unit'.");
  }
  const ranked = await Promise.all(
    treeEntries(scores)
      .filter(([path, leaf]) => prunable(path, leaf as tf.Tensor))
      .map(([path, leaf]) => rank(path, leaf as tf.Tensor, masks[path])),
  );
  if (scope === 'global') cut(ranked, amount as Amount);
  else {
    for (const one of ranked) {
      const own = typeof amount === 'function' ? amount(one.path) : amount;
      if (scope === 'layer') cut([one], own);
      else cutUnits(one, own);
    }
  }
  return Object.fromEntries(
    ranked.map(({ path, shape, alive }) => [path, tf.tensor(Float32Array.from(alive), [...shape], 'float32')]),
  );
}

async function rank(path: string, leaf: tf.Tensor, mask: tf.Tensor | undefined): Promise<Ranked> {
  const [scores, before] = await Promise.all([leaf.data(), mask?.data()]);
  const values = Float32Array.from(scores as Float32Array);
  const at = values.findIndex(Number.isNaN);
  if (at >= 0)
    throw new FrugalError('BAD_SCORES', `the score ${at} of '${path}' is NaN, so nothing can be ranked by it.`);
  const alive = before === undefined ? new Uint8Array(values.length).fill(1) : Uint8Array.from(before as Float32Array);
  return { path, shape: leaf.shape, scores: values, alive };
}

/** Ranks all of these together, and cuts in `alive`. */
function cut(group: readonly Ranked[], amount: Amount): void {
  const total = group.reduce((sum, { scores }) => sum + scores.length, 0);
  const scores = new Float32Array(total);
  const alive = new Uint8Array(total);
  let at = 0;
  for (const one of group) {
    scores.set(one.scores, at);
    alive.set(one.alive, at);
    at += one.scores.length;
  }
  const left = alive.reduce((sum, value) => sum + value, 0);
  for (const i of smallest(scores, alive, countToCut(amount, left, total))) alive[i] = 0;
  at = 0;
  for (const one of group) {
    one.alive.set(alive.subarray(at, at + one.alive.length));
    at += one.alive.length;
  }
}

/** Ranks the weights of each unit apart, and cuts in `alive`. */
function cutUnits({ path, shape, scores, alive }: Ranked, amount: Amount): void {
  const units = shape.at(-1) ?? 1;
  const inputs = scores.length / units;
  for (let unit = 0; unit < units; unit++) {
    const pick = (values: ArrayLike<number>): number[] =>
      Array.from({ length: inputs }, (_, i) => values[i * units + unit]!);
    const column: Ranked = {
      path,
      shape: [inputs],
      scores: Float32Array.from(pick(scores)),
      alive: Uint8Array.from(pick(alive)),
    };
    cut([column], amount);
    for (let i = 0; i < inputs; i++) alive[i * units + unit] = column.alive[i]!;
  }
}

/** Cuts the weights of smallest magnitude (Han et al. 2015, arXiv 1506.02626); arguments and result as of `pruneByScores`. */
export async function magnitudeMasks(
  params: Tree,
  amount: Amount | ((path: string) => Amount),
  options: PruneOptions = {},
): Promise<Masks> {
  return scored(
    treeMap((leaf) => tf.abs(leaf), params),
    amount,
    options,
  );
}

/** Cuts weights at random: the control of every pruning. One key, one mask; else as `pruneByScores`. */
export async function randomMasks(
  params: Tree,
  amount: Amount | ((path: string) => Amount),
  options: PruneOptions & { key: Key },
): Promise<Masks> {
  let i = 0;
  return scored(
    treeMap((leaf) => randomUniform(foldIn(options.key, i++), leaf.shape), params),
    amount,
    options,
  );
}

/**
 * Cuts the weights that matter least to the loss by |g · w|, at initialisation or any time (SNIP, arXiv 1810.02340).
 *
 * @param grads The gradient of the mean loss on some examples, a tree like the parameters, from any estimator.
 */
export async function snipMasks(
  params: Tree,
  grads: Tree,
  amount: Amount | ((path: string) => Amount),
  options: PruneOptions = {},
): Promise<Masks> {
  return scored(
    treeMap((p, g) => tf.tidy(() => tf.abs(tf.mul(p, g!))), params, grads),
    amount,
    options,
  );
}

async function scored(
  scores: Tree,
  amount: Amount | ((path: string) => Amount),
  options: PruneOptions,
): Promise<Masks> {
  try {
    return await pruneByScores(scores, amount, options);
  } finally {
    treeDispose(scores);
  }
}
