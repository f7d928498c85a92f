import {
  createState,
  type DataPosition,
  type Dataset,
  type GradientTransformation,
  type Key,
  type RunResult,
  type Tree,
  treeClone,
  treeDispose,
} from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { CheckpointParts, Json } from '../checkpoint/index.ts';
import type { AverageState } from '../transforms/index.ts';
import type { RunOptions } from './options.ts';
import type { Progress } from './progress.ts';
import type { Task } from './task.ts';

/** What a run begins with. */
export interface Beginning<P extends Tree> {
  progress: Progress<P>;
  position: DataPosition;
  /** What hooks and reports had saved; undefined at a fresh start. */
  saved: { extra: Record<string, Json>; tensors: Record<string, tf.Tensor> } | undefined;
  /** What people should know of how it began. */
  notes: string[];
  /** Checkpoints of an earlier run, to be removed. */
  stale: string[];
}

/** Splits the optimizer's state into what a checkpoint calls `opt` and `ema`. */
export function optimizerParts(state: Tree, averaged: boolean): Pick<CheckpointParts, 'opt' | 'ema'> {
  if (!averaged) return { opt: state };
  const { inner, average } = state as AverageState;
  return { opt: inner, ema: average };
}

/** The sizes by which a resumed run knows its data. */
export function dataSizes(data: Dataset<unknown>): Json {
  const { size, batchSize, batchesPerEpoch } = data;
  return { size, batchSize, batchesPerEpoch };
}

/** A run's first start. `stale`: checkpoints of an earlier run. */
export function freshBeginning<P extends Tree>(progress: Progress<P>, stale: string[] = []): Beginning<P> {
  return { progress, position: { epoch: 0, batch: 0 }, saved: undefined, notes: [], stale };
}

/**
 * Makes fresh parameters, or goes on from a checkpoint.
 *
 * @throws {CheckpointError} If there is a checkpoint that does not fit, saying where.
 */
export async function begin<P extends Tree, B>(
  options: RunOptions<P, B>,
  task: Task<P, B>,
  optimizer: GradientTransformation,
  initKey: Key,
): Promise<Beginning<P>> {
  const make = (): Progress<P> => {
    const params = options.params === undefined ? task.init(initKey) : treeClone(options.params);
    return { params, optimizer: optimizer.init(params), state: createState(options.state), step: 0 };
  };
  if (options.checkpoint !== undefined) return options.checkpoint.begin(options, make);
  return freshBeginning(make());
}

/** The trees of a result, out of the progress of a run that has ended; the caller owns them. */
export function resultTrees<P extends Tree>(
  { params, optimizer, state }: Progress<P>,
  evaluationParams: P | undefined,
  averaged: boolean,
): Pick<RunResult<P>, 'params' | 'evaluationParams' | 'optimizer' | 'state'> {
  const { opt, ema } = optimizerParts(optimizer, averaged);
  if (ema !== undefined) treeDispose(ema);
  const record = state.toRecord();
  state.dispose();
  return { params, ...(evaluationParams === undefined ? {} : { evaluationParams }), optimizer: opt, state: record };
}
