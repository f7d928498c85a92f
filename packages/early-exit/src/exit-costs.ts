import { FrugalError, meter, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitModel, ExitParams } from './exit-model.ts';

/** FLOPs per example (2 per multiply-add), counted by the meter. */
export interface ExitCosts {
  /** Of the backbone from the exit before to each exit. */
  readonly segments: readonly number[];
  /** Of each exit's head; the end has none. */
  readonly heads: readonly number[];
  /** Of everything that an example runs that leaves at each exit, the full model with all heads last. */
  readonly cumulative: readonly number[];
  /** Of the backbone alone, without exits. */
  readonly full: number;
}

/**
 * Counts what each part of a model with exits costs, by running it once on the first example.
 *
 * @param x At least one example, [B, …].
 * @throws {FrugalError} `UNKNOWN_COST` if a kernel has no formula: register one with `registerFlops`.
 */
export function exitCosts<P extends Tree>(model: ExitModel<P>, params: ExitParams<P>, x: tf.Tensor): ExitCosts {
  const count = (run: () => tf.Tensor): [tf.Tensor, number] => {
    const { result, flops, unknown } = meter(run);
    if (unknown.length === 0) return [result, flops];
    throw new FrugalError('UNKNOWN_COST', `exitCosts: no FLOP formula for ${unknown.join(', ')}; use registerFlops.`);
  };
  const segments: number[] = [];
  const heads: number[] = [];
  tf.tidy(() => {
    let h: tf.Tensor = tf.slice(x, 0, 1);
    let previous: tf.Tensor | undefined;
    for (let exit = 0; exit < model.exitCount; exit++) {
      const [next, segment] = count(() => model.segment(params, exit, h));
      const [logits, head] = count(() => model.answer(params, exit, next, previous));
      segments.push(segment);
      heads.push(head);
      h = next;
      previous = logits;
    }
  });
  let total = 0;
  const cumulative = segments.map((segment, exit) => {
    total += segment + heads[exit]!;
    return total;
  });
  return { segments, heads, cumulative, full: segments.reduce((sum, segment) => sum + segment, 0) };
}
