import type { Context, Dataset, Key, LossFunction, Module, State, Tree } from '@frugal/tensor';
import { foldIn, key as keyOf, treeLeaves } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { disposeBatch, examplesIn } from '../data/batch.ts';
import { type Examples, lossFunction, type Objective } from '../objectives/index.ts';
import { createPacer } from './pacer.ts';
import { type Planner, planned } from './planned.ts';

/** What to learn, said by a loss on the batches as they come. */
export interface LossTask<P extends Tree, B> {
  /** Makes the first parameters, e.g. a `Module`. */
  model: { init(key: Key): P };
  /** One value per example. */
  loss: LossFunction<P, B>;
  /** For models whose layers plan (experts, learners per token): awaited before each gradient and each measurement. */
  plan?: Planner<P, B>;
  objective?: never;
}

/** What to learn, said by an objective: what to predict from a batch, how wrong a prediction is, what to report. */
export interface ObjectiveTask<P extends Tree, B extends Tree, X extends Tree = tf.Tensor, Y extends Tree = tf.Tensor> {
  model: Pick<Module<P, X, tf.Tensor>, 'init' | 'apply'>;
  /** E.g. `classification()`; its parts can be swapped one by one. */
  objective: Objective<B, X, Y>;
  /** For models whose layers plan (experts, learners per token): awaited before each gradient and each measurement. */
  plan?: Planner<P, Examples<X, Y>>;
  loss?: never;
}

/** A task in the form that the loop uses. */
export interface Task<P extends Tree, B> {
  init(key: Key): P;
  /** What is learned from, made of a batch, which it consumes. */
  prepare(batch: B): unknown;
  /** Adds plans to what `prepare` made, which it consumes. */
  plan?(params: P, examples: unknown, ctx: Context): Promise<unknown>;
  loss: LossFunction<P, unknown>;
  /** Values per example, by name, of prepared examples. */
  measure(params: P, examples: unknown, ctx: Context): Record<string, tf.Tensor>;
}

/** Brings both kinds of task into one form. */
export function resolveTask<P extends Tree, B>(
  task: LossTask<P, B> | ObjectiveTask<P, B & Tree, Tree, Tree>,
): Task<P, B> {
  const { plan } = task;
  return plan === undefined ? unplanned(task) : planned(unplanned(task), plan);
}

function unplanned<P extends Tree, B>(task: LossTask<P, B> | ObjectiveTask<P, B & Tree, Tree, Tree>): Task<P, B> {
  const { model, objective } = task;
  if (objective === undefined) {
    const loss = task.loss as LossFunction<P, unknown>;
    return {
      init: (key) => model.init(key),
      prepare: (batch) => batch,
      loss,
      measure: (params, examples, ctx) => ({ loss: loss(params, examples, ctx) }),
    };
  }
  return {
    init: (key) => model.init(key),
    prepare(batch) {
      let kept: readonly unknown[] = [];
      try {
        const examples = tf.tidy(() => objective.examples(batch as B & Tree) as tf.TensorContainer);
        kept = treeLeaves(examples as Tree);
        return examples;
      } finally {
        for (const leaf of treeLeaves(batch as Tree)) if (!kept.includes(leaf)) leaf.dispose();
      }
    },
    loss: lossFunction(task.model, objective.loss) as LossFunction<P, unknown>,
    measure(params, examples, ctx) {
      const { x, y } = examples as Examples<Tree, Tree>;
      const output = task.model.apply(params, x, ctx);
      const metrics = Object.entries(objective.metrics).map(([name, metric]) => [name, metric(output, y)] as const);
      return { loss: objective.loss(output, y), ...Object.fromEntries(metrics) };
    },
  };
}

/** Batches whose sums are read together. */
const READ_TOGETHER = 16;

/** Means over a dataset of what a task measures, weighted by examples. */
export async function measureOn<P extends Tree, B>(
  task: Task<P, B>,
  params: P,
  data: Dataset<B>,
  ctx: Context,
): Promise<Record<string, number>> {
  const totals = new Map<string, number>();
  let examples = 0;
  let names: string[] = [];
  const reading: Promise<ArrayLike<number>>[] = [];
  const collect = async (): Promise<void> => {
    for (const sums of await Promise.all(reading.splice(0))) {
      for (const [i, name] of names.entries()) totals.set(name, (totals.get(name) ?? 0) + sums[i]!);
    }
  };
  const pause = createPacer(16);
  let index = 0;
  for await (const batch of data.batches({ key: ctx.key ?? keyOf(0), epoch: 0 })) {
    examples += examplesIn(batch);
    const batchCtx = ctx.key === undefined ? ctx : { ...ctx, key: foldIn(ctx.key, index++) };
    let prepared = task.prepare(batch);
    if (task.plan !== undefined) prepared = await task.plan(params, prepared, batchCtx);
    try {
      const sums = tf.tidy(() => {
        const values = task.measure(params, prepared, batchCtx);
        names = Object.keys(values);
        return tf.stack(names.map((name) => tf.sum(values[name]!)));
      });
      reading.push(sums.data().finally(() => sums.dispose()));
    } finally {
      disposeBatch(prepared);
    }
    if (reading.length >= READ_TOGETHER) await collect();
    await pause();
  }
  await collect();
  return Object.fromEntries([...totals].map(([name, total]) => [name, total / examples]));
}

/** What `evaluate` needs beside the task. */
export interface EvaluateOnOptions<P extends Tree, B> {
  params: P;
  data: Dataset<B>;
  /** State of the modules, read only. */
  state?: State;
}

/**
 * Measures a model on data: the mean loss and, with an objective, its metrics, over all examples.
 *
 *     const { accuracy } = await evaluate({ model, objective: classification(), params, data: testSet });
 *
 * @returns The means by name. `params` and `data` stay as they are.
 */
export async function evaluate<P extends Tree, B>(
  options: LossTask<P, B> & EvaluateOnOptions<P, B>,
): Promise<Record<string, number>>;
export async function evaluate<P extends Tree, B extends Tree, X extends Tree, Y extends Tree>(
  options: ObjectiveTask<P, B, X, Y> & EvaluateOnOptions<P, B>,
): Promise<Record<string, number>>;
export async function evaluate(
  options: (LossTask<Tree, Tree> | ObjectiveTask<Tree, Tree, Tree, Tree>) & EvaluateOnOptions<Tree, Tree>,
): Promise<Record<string, number>> {
  const { params, data, state } = options;
  return measureOn(resolveTask(options), params, data, { train: false, ...(state === undefined ? {} : { state }) });
}
