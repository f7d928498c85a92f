import { FrugalError, type Tree, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Amount, countToCut } from '../masks/amount.ts';
import type { Masks } from '../masks/masks.ts';
import { smallest } from '../masks/select.ts';
import { inputNorms } from '../masks/wanda.ts';

/** Which heads of attention and which hidden units of the feed-forward network of a block stay: indices, ascending. All where missing. */
export interface KeptInBlock {
  readonly heads?: readonly number[];
  readonly hidden?: readonly number[];
}

/** What the heads and the hidden units of each block matter; larger is better. */
export type BlockScores = readonly { readonly heads: Float32Array; readonly hidden: Float32Array }[];

/** The parameters of the blocks of `vit` and `gpt`, as far as they can be cut. */
export interface BlockWeights {
  readonly qkv: { readonly weight: tf.Tensor; readonly bias?: tf.Tensor };
  readonly proj: { readonly weight: tf.Tensor; readonly bias?: tf.Tensor };
  readonly fc1: { readonly weight: tf.Tensor; readonly bias?: tf.Tensor };
  readonly fc2: { readonly weight: tf.Tensor; readonly bias?: tf.Tensor };
}

/** The blocks of a transformer's parameters; refuses what has none with heads of their own. */
export function blocksOf(params: Tree, heads: number): BlockWeights[] {
  const { blocks } = params as { blocks?: readonly { attn?: BlockWeights; mlp?: BlockWeights }[] };
  const found = (blocks ?? []).map(({ attn, mlp }) => ({ ...attn, ...mlp }) as BlockWeights);
  const whole = found.every(
    ({ qkv, proj, fc1, fc2 }) =>
      [qkv, proj, fc1, fc2].every((one) => one?.weight instanceof tf.Tensor) &&
      proj.weight.shape[0]! % heads === 0 &&
      qkv.weight.shape[1] === 3 * proj.weight.shape[0]! &&
      fc1.weight.shape[1] === fc2.weight.shape[0],
  );
  if (found.length > 0 && whole) return found;
  throw new FrugalError(
    'NOT_PRUNABLE',
    `The parameters must be those of a vit or gpt of @frugal/nn: blocks with attn.qkv, attn.proj, mlp.fc1 and mlp.fc2, of ${heads} heads ` +
      'each with keys of its own. Pass the number of heads that the model was made with.',
  );
}

/** Sums of each run of `size` neighbours. */
const folded = (values: ArrayLike<number>, size: number): Float64Array => {
  const sums = new Float64Array(values.length / size);
  for (let i = 0; i < values.length; i++) sums[Math.floor(i / size)]! += values[i]!;
  return sums;
};

/** Scores from one number per input of proj and of fc2. */
async function scored(
  blocks: readonly BlockWeights[],
  heads: number,
  each: (weight: tf.Tensor) => Promise<ArrayLike<number>>,
  finish: (sum: number) => number,
): Promise<BlockScores> {
  return Promise.all(
    blocks.map(async ({ proj, fc2 }) => ({
      heads: Float32Array.from(folded(await each(proj.weight), proj.weight.shape[0]! / heads), finish),
      hidden: Float32Array.from(await each(fc2.weight), finish),
    })),
  );
}

/**
 * Scores heads and hidden units by the ℓ2 norm of the weights that read them.
 *
 * @param heads Heads of each block.
 * @throws {FrugalError} `NOT_PRUNABLE`.
 */
export async function blockMagnitudes(params: Tree, heads: number): Promise<BlockScores> {
  const squares = async (weight: tf.Tensor): Promise<ArrayLike<number>> => {
    const sums = tf.tidy(() => tf.sum(tf.square(weight), 1));
    const values = await sums.data();
    sums.dispose();
    return values;
  };
  return scored(blocksOf(params, heads), heads, squares, Math.sqrt);
}

/**
 * Scores heads and hidden units by the ℓ2 norm of what they say over calibration examples.
 *
 * @param fn Runs the model on them, with the very tensors of `params`; what it returns is disposed.
 * @throws {FrugalError} `NOT_PRUNABLE`; `NO_INPUTS` if the program did not use the weights.
 */
export async function blockActivations(
  params: Tree,
  heads: number,
  fn: () => tf.TensorContainer,
): Promise<BlockScores> {
  const blocks = blocksOf(params, heads);
  const paths = new Map(treeEntries(params).map(([path, leaf]) => [leaf as tf.Tensor, path]));
  const read = new Set(blocks.flatMap(({ proj, fc2 }) => [paths.get(proj.weight)!, paths.get(fc2.weight)!]));
  const norms = inputNorms(params, fn, (path) => read.has(path));
  try {
    const squares = async (weight: tf.Tensor): Promise<ArrayLike<number>> => {
      const norm = norms[paths.get(weight)!];
      if (norm !== undefined) return (await norm.data()).map((value) => value * value);
      throw new FrugalError(
        'NO_INPUTS',
        `blockActivations: the program did not multiply by '${paths.get(weight)}'. Run the model with these very parameters.`,
      );
    };
    return await scored(blocks, heads, squares, Math.sqrt);
  } finally {
    tf.dispose(norms);
  }
}

/**
 * Scores heads and hidden units by what the loss would change without them, to first order: |Σ a · ∂L/∂a| (arXiv 1905.10650, 1906.10771).
 *
 * Taken from the weights that read them, Σ g · w, which is the same number.
 *
 * @param grads The gradient of the mean loss on some examples, a tree like the parameters.
 * @throws {FrugalError} `NOT_PRUNABLE`.
 */
export async function blockGradients(params: Tree, heads: number, grads: Tree): Promise<BlockScores> {
  const blocks = blocksOf(params, heads);
  const slopes = new Map(
    blocksOf(grads, heads).flatMap(({ proj, fc2 }, i) => [
      [blocks[i]!.proj.weight, proj.weight],
      [blocks[i]!.fc2.weight, fc2.weight],
    ]),
  );
  const products = async (weight: tf.Tensor): Promise<ArrayLike<number>> => {
    const sums = tf.tidy(() => tf.sum(tf.mul(weight, slopes.get(weight)!), 1));
    const values = await sums.data();
    sums.dispose();
    return values;
  };
  return scored(blocks, heads, products, Math.abs);
}

/** How much of each block goes: a share of its heads, and one of its hidden units, as `Amount`s. */
export interface BlockAmounts {
  readonly heads?: Amount;
  readonly hidden?: Amount;
}

/**
 * Picks the heads and the hidden units to keep, the best of each block; a block keeps at least one of both.
 *
 * @returns For `blockMasks` and `compactBlocks`.
 * @throws {FrugalError} `BAD_OPTION` for an amount out of range, `BAD_SCORES` for a NaN.
 */
export function pruneBlocks(scores: BlockScores, { heads = 0, hidden = 0 }: BlockAmounts): Required<KeptInBlock>[] {
  const keep = (values: Float32Array, amount: Amount): number[] => {
    const alive = new Uint8Array(values.length).fill(1);
    const count = Math.min(values.length - 1, countToCut(amount, values.length, values.length));
    for (const i of smallest(values, alive, count)) alive[i] = 0;
    return Array.from(alive.keys()).filter((i) => alive[i] === 1);
  };
  return scores.map((one) => ({ heads: keep(one.heads, heads), hidden: keep(one.hidden, hidden) }));
}

/** Refuses indices that are not ascending, or of nothing. */
export function checkKept(kept: readonly KeptInBlock[], blocks: readonly BlockWeights[], heads: number): void {
  if (kept.length !== blocks.length) {
    throw new FrugalError(
      'BAD_OPTION',
      `kept must have an entry for each of the ${blocks.length} blocks, got ${kept.length}.`,
    );
  }
  for (const [i, one] of kept.entries()) {
    const sizes = { heads, hidden: blocks[i]!.fc2.weight.shape[0]! };
    for (const name of ['heads', 'hidden'] as const) {
      const list = one[name];
      const rising = list?.every((at, k) => Number.isInteger(at) && at >= 0 && (k === 0 || at > list[k - 1]!)) ?? true;
      if (rising && (list === undefined || (list.length > 0 && list.at(-1)! < sizes[name]))) continue;
      throw new FrugalError(
        'BAD_OPTION',
        `kept[${i}].${name} must be ascending indices below ${sizes[name]}, at least one, got [${list!.slice(0, 8)}].`,
      );
    }
  }
}

/** The features of some heads of `size` each, in the projection and, behind `offset` heads, among queries, keys or values. */
export const featuresOf = (heads: readonly number[], size: number, offset = 0): number[] =>
  heads.flatMap((head) => Array.from({ length: size }, (_, i) => (offset + head) * size + i));

/**
 * Masks that hold cut heads and hidden units at zero, what leads in and what leads out: for `applyMasks` and `keepPruned`.
 *
 * @param kept An entry per block, of `pruneBlocks`.
 * @returns Masks by path; the caller owns them.
 * @throws {FrugalError} `NOT_PRUNABLE`, `BAD_OPTION`.
 */
export function blockMasks(params: Tree, heads: number, kept: readonly KeptInBlock[]): Masks {
  const blocks = blocksOf(params, heads);
  checkKept(kept, blocks, heads);
  const paths = new Map(treeEntries(params).map(([path, leaf]) => [leaf as tf.Tensor, path]));
  const masks: Record<string, tf.Tensor> = {};
  const hold = (tensor: tf.Tensor | undefined, axis: 0 | 1, alive: readonly number[]): void => {
    if (tensor === undefined) return;
    const [rows, columns] = tensor.rank === 1 ? [1, tensor.shape[0]!] : (tensor.shape as [number, number]);
    const stays = new Float32Array(axis === 0 ? rows : columns);
    for (const i of alive) stays[i] = 1;
    const values = Float32Array.from(
      { length: rows * columns },
      (_, i) => stays[axis === 0 ? Math.floor(i / columns) : i % columns]!,
    );
    masks[paths.get(tensor)!] = tf.tensor(values, tensor.shape, 'float32');
  };
  for (const [i, one] of kept.entries()) {
    const { qkv, proj, fc1, fc2 } = blocks[i]!;
    if (one.heads !== undefined) {
      const size = proj.weight.shape[0]! / heads;
      const all = [0, 1, 2].flatMap((part) => featuresOf(one.heads!, size, part * heads));
      hold(qkv.weight, 1, all);
      hold(qkv.bias, 1, all);
      hold(proj.weight, 0, featuresOf(one.heads, size));
    }
    if (one.hidden !== undefined) {
      hold(fc1.weight, 1, one.hidden);
      hold(fc1.bias, 1, one.hidden);
      hold(fc2.weight, 0, one.hidden);
    }
  }
  return masks;
}
