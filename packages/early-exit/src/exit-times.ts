import type { Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitCosts } from './exit-costs.ts';
import type { ExitModel, ExitParams } from './exit-model.ts';

/** Options of `exitTimes`. */
export interface ExitTimesOptions {
  /** Runs of each part, of which the fastest counts. Default 20. */
  readonly repeats?: number;
}

/**
 * What each part of a model with exits takes here, in milliseconds per example, in the form of `exitCosts`: with it in a
 * table (`{ ...table, costs }`) thresholds are chosen for a time budget, and what a small batch wastes is seen.
 *
 * @param x A batch of the size that will be run, [B, …]; not disposed.
 */
export async function exitTimes<P extends Tree>(
  model: ExitModel<P>,
  params: ExitParams<P>,
  x: tf.Tensor,
  { repeats = 20 }: ExitTimesOptions = {},
): Promise<ExitCosts> {
  const size = x.shape[0]!;
  const time = async (part: () => tf.Tensor): Promise<number> => {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < repeats; i++) {
      const start = performance.now();
      const y = part();
      // Without reading, a GPU would still be at work.
      await y.data();
      best = Math.min(best, performance.now() - start);
      y.dispose();
    }
    return best / size;
  };
  const [segments, heads]: [number[], number[]] = [[], []];
  let h = x.clone();
  let previous: tf.Tensor | undefined;
  for (let exit = 0; exit < model.exitCount; exit++) {
    const [before, said] = [h, previous];
    const stands = model.points[exit] === (model.points[exit - 1] ?? 0);
    segments.push(stands ? 0 : await time(() => model.segment(params, exit, before)));
    h = model.segment(params, exit, before);
    before.dispose();
    const [here, end] = [h, exit === model.exitCount - 1];
    heads.push(end ? 0 : await time(() => model.answer(params, exit, here, said)));
    previous = model.answer(params, exit, here, said);
    said?.dispose();
  }
  tf.dispose([h, previous!]);
  let total = 0;
  const cumulative = segments.map((segment, exit) => {
    total += segment + heads[exit]!;
    return total;
  });
  return { segments, heads, cumulative, full: segments.reduce((sum, segment) => sum + segment, 0) };
}
