import { type Context, FrugalError, type Key, type Stage, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { childContext, joinPath, runSteps } from './context.ts';

/** What makes a stage of a model. */
export interface StageOptions<P extends Tree> {
  /** The stage's name, which taps see, e.g. `'blocks.0'`. */
  name: string;
  /** Where its parameters stand in the tree, if that is not the name; `''` for the top. Paths of its children start here. */
  path?: string;
  /** Which stage it is: its key is `foldIn(key, index)`. */
  index: number;
  /** The part of the tree that it reads. */
  params(all: P): Tree;
  /** The stage itself; `ctx` is the stage's own, with path and key. */
  run(all: P, x: tf.Tensor, ctx: Context | undefined): tf.Tensor;
  /** `Stage.applySome`, with the stage's own context. */
  runSome?: ((all: P, x: tf.Tensor, rows: Int32Array, ctx: Context | undefined) => tf.Tensor) | undefined;
}

/** Makes a stage that gives `run` a context of its own, tidies it, and reports its output to the taps. */
export function makeStage<P extends Tree>(options: StageOptions<P>): Stage<P> {
  const { name, path = name, index, params, run, runSome } = options;
  return {
    name,
    params,
    apply(all, x, ctx) {
      const own = childContext(ctx, path, index);
      const y = tf.tidy(() => run(all, x, own));
      ctx?.taps?.set(joinPath(ctx.path, name), y);
      return y;
    },
    ...(runSome && {
      applySome: (all, x, rows, ctx) => tf.tidy(() => runSome(all, x, rows, childContext(ctx, path, index))),
    }),
  };
}

/**
 * Makes a staged model of its initializer and its stages.
 *
 * `apply` folds the stages over the input and lets each activation go when the next is there, so that without a tape
 * memory does not grow with depth.
 */
export function staged<P extends Tree>(init: (key: Key) => P, stages: readonly Stage<P>[]): Staged<P> {
  return {
    init,
    stages,
    apply: (params, x, ctx) =>
      runSteps(
        x,
        stages.map((stage) => (h: tf.Tensor) => stage.apply(params, h, ctx)),
      ),
  };
}

/** Options of `applyStages`. */
export interface ApplyStagesOptions {
  /** The point where the input stands. Default 0, the model's input. */
  from?: number;
  /** The point to reach. Default: the output. */
  to?: number;
  /** The context of the whole model. */
  ctx?: Context;
}

/**
 * Runs a stretch of a staged model: from the activation at point `from` to the one at point `to`.
 *
 * Point 0 is the input, point i the output of `stages[i - 1]`. Running 0 → i and then i → end equals `apply`.
 *
 * @returns A new tensor.
 * @throws {FrugalError} If the points are not 0 ≤ from ≤ to ≤ number of stages.
 */
export function applyStages<P extends Tree>(
  model: Staged<P>,
  params: P,
  x: tf.Tensor,
  options: ApplyStagesOptions = {},
): tf.Tensor {
  const count = model.stages.length;
  const { from = 0, to = count, ctx } = options;
  if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= count)) {
    throw new FrugalError('BAD_OPTION', `applyStages: points must be 0 ≤ from ≤ to ≤ ${count}, got ${from} and ${to}.`);
  }
  return runSteps(
    x,
    model.stages.slice(from, to).map((stage) => (h: tf.Tensor) => stage.apply(params, h, ctx)),
  );
}
