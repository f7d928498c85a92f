import { type DynamicRun, FrugalError, gatherRows, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { allRows, countFlops, statesOf, type TokenCost, tokenCost } from './token-costs.ts';

/** A run of sequences whose tokens stop where their states no longer change. */
export interface SaturationRun extends DynamicRun {
  /** Blocks that token b·T + t ran. */
  depth: Int32Array;
}

/** Options of `runSaturation`. */
export interface SaturationOptions {
  /**
   * One for each block but the last: a token stops behind block i once the cosine between its states before and after
   * the block reaches `thresholds[i]`, in [−1, 1]; above 1 nobody does.
   */
  readonly thresholds: readonly number[];
  /** From `saturationCosts`; counted anew where it is missing. */
  readonly costs?: SaturationCosts;
}

/** FLOPs of the parts of a run: per example before and behind the blocks, per token of each block, per comparison. */
export interface SaturationCosts {
  readonly ends: number;
  readonly blocks: readonly TokenCost[];
  readonly comparison: number;
}

/**
 * Runs each token of a sequence through as many blocks as its hidden state needs to settle (the saturation rule of CALM,
 * arXiv 2207.07061). Its last state is copied forward: the others still attend to it, and the head still sees it.
 *
 * For models that answer once per sequence, such as `vit`, whose tokens have no answer of their own to be sure of.
 *
 * @param backbone Stages without `applySome` at the ends, blocks with it between them.
 * @param x [B, …]; not disposed.
 * @returns Answers and FLOPs per example, and the depth of each token.
 * @throws {FrugalError} `BAD_OPTION` for a backbone without such blocks or another number of thresholds.
 */
export async function runSaturation<P extends Tree>(
  backbone: Staged<P>,
  params: P,
  x: tf.Tensor,
  { thresholds, costs = saturationCosts(backbone, params, x) }: SaturationOptions,
): Promise<SaturationRun> {
  const { before, blocks, behind } = partsOf(backbone);
  if (thresholds.length !== blocks.length - 1) {
    throw new FrugalError(
      'BAD_OPTION',
      `runSaturation: thresholds must be one for each block but the last, ${blocks.length - 1} in this model, got ` +
        `${thresholds.length}.`,
    );
  }
  const batch = x.shape[0]!;
  let h = chain(before, params, x);
  const [, time] = h.shape as [number, number, number];
  const count = batch * time;
  const depth = new Int32Array(count);
  const cost = new Array<number>(batch).fill(costs.ends);
  try {
    let rows: Int32Array = allRows(count);
    for (const [i, block] of blocks.entries()) {
      const { base, row } = costs.blocks[i]!;
      const next = rows.length === count ? block.apply(params, h) : block.applySome!(params, h, rows);
      const closing = i === blocks.length - 1 || !(thresholds[i]! <= 1);
      const each = row + (closing ? 0 : costs.comparison);
      for (let b = 0; b < batch; b++) cost[b]! += base * time;
      for (const r of rows) {
        cost[Math.floor(r / time)]! += each;
        depth[r]!++;
      }
      const similar = closing ? undefined : cosines(h, next, rows);
      h.dispose();
      h = next;
      if (similar === undefined) continue;
      const values = await similar.data();
      similar.dispose();
      rows = rows.filter((_, k) => !(values[k]! >= thresholds[i]!));
      if (rows.length === 0) break;
    }
    const output = chain(behind, params, h);
    return { output, depth, cost };
  } finally {
    h.dispose();
  }
}

/**
 * Counts what the parts of a backbone cost in `runSaturation`, on the first example.
 *
 * @throws {FrugalError} `BAD_OPTION` for a backbone without blocks that can run for some positions.
 */
export function saturationCosts<P extends Tree>(backbone: Staged<P>, params: P, x: tf.Tensor): SaturationCosts {
  const { before, blocks, behind } = partsOf(backbone);
  const one = tf.slice(x, 0, 1);
  const h = chain(before, params, one);
  try {
    const tokens = h.shape[1]!;
    return {
      ends: countFlops(() => chain(before, params, one)) + countFlops(() => chain(behind, params, h)),
      blocks: blocks.map((block) => tokenCost(block, params, h, tokens)),
      comparison: countFlops(() => cosines(h, h, allRows(tokens))) / tokens,
    };
  } finally {
    tf.dispose([one, h]);
  }
}

/** The cosine between two states of each of some tokens, [rows.length]. */
function cosines(before: tf.Tensor, after: tf.Tensor, rows: Int32Array): tf.Tensor {
  return tf.tidy(() => {
    const [a, b] = [before, after].map((h) => tf.squeeze(statesOf(h, rows, gatherRows), [0])) as [tf.Tensor, tf.Tensor];
    const norms = tf.sqrt(tf.mul(tf.sum(tf.square(a), 1), tf.sum(tf.square(b), 1)));
    return tf.div(tf.sum(tf.mul(a, b), 1), tf.maximum(norms, 1e-12));
  });
}

type Stages<P extends Tree> = Staged<P>['stages'];

/** Stages in a row; a new tensor. */
function chain<P extends Tree>(stages: Stages<P>, params: P, x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => (stages.length === 0 ? x.clone() : stages.reduce((h, stage) => stage.apply(params, h), x)));
}

/** The blocks, and what stands before and behind them. */
function partsOf<P extends Tree>({ stages }: Staged<P>): Record<'before' | 'blocks' | 'behind', Stages<P>> {
  const from = stages.findIndex(({ applySome }) => applySome !== undefined);
  const to = stages.findLastIndex(({ applySome }) => applySome !== undefined) + 1;
  const blocks = stages.slice(Math.max(from, 0), to);
  if (from < 0 || blocks.some(({ applySome }) => applySome === undefined)) {
    throw new FrugalError(
      'BAD_OPTION',
      'runSaturation: the backbone has no row of blocks with applySome. Take a vit of @frugal/nn.',
    );
  }
  return { before: stages.slice(0, from), blocks, behind: stages.slice(to) };
}
