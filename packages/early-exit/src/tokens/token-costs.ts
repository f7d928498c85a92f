import { FrugalError, meter, type Stage, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** FLOPs of a stage, per token. */
export interface TokenCost {
  /** Of every token of a sequence that is in the batch: keys, values and scores. */
  readonly base: number;
  /** More for a token that runs the stage. */
  readonly row: number;
}

/** FLOPs of a run, counted by the meter. */
export function countFlops(run: () => tf.Tensor): number {
  const { result, flops, unknown } = meter(run);
  result.dispose();
  if (unknown.length === 0) return flops;
  throw new FrugalError('UNKNOWN_COST', `no FLOP formula for ${unknown.join(', ')}; use registerFlops.`);
}

/**
 * Counts what a stage costs per token, from runs on one sequence; both parts are linear, so few runs tell them apart.
 *
 * @param h The stage's input for one example, [1, T, d]; or [1, …] where all positions run (`whole`).
 * @param tokens T.
 */
export function tokenCost<P extends Tree>(stage: Stage<P>, params: P, h: tf.Tensor, tokens: number): TokenCost {
  if (stage.applySome === undefined || tokens < 2) {
    return { base: 0, row: countFlops(() => stage.apply(params, h)) / tokens };
  }
  const [one, two] = [1, 2].map((n) =>
    countFlops(() =>
      stage.applySome!(
        params,
        h,
        Int32Array.from({ length: n }, (_, i) => i),
      ),
    ),
  ) as [number, number];
  return { base: (2 * one - two) / tokens, row: two - one };
}

/** Rows 0 … n − 1. */
export function allRows(n: number): Int32Array {
  const rows = new Int32Array(n);
  for (let i = 0; i < n; i++) rows[i] = i;
  return rows;
}

/** The states of some tokens as one sequence: [B, T, d] → [1, rows.length, d]. */
export function statesOf(
  h: tf.Tensor,
  rows: Int32Array,
  gather: (x: tf.Tensor, rows: Int32Array) => tf.Tensor,
): tf.Tensor {
  return tf.tidy(() => {
    const width = h.shape.at(-1)!;
    const flat = tf.reshape(h, [h.size / width, width]);
    const states = rows.length === flat.shape[0] ? flat : gather(flat, rows);
    return tf.reshape(states, [1, rows.length, width]);
  });
}
