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
import * as tf from '@tensorflow/tfjs-core';
import { partEntries } from '../checkpoint/format.ts';
import { CheckpointError, type CheckpointParts, type Json } from '../checkpoint/index.ts';
import { type Found, newestCheckpoint, restoreParts } from '../checkpoint/resume.ts';
import { listCheckpoints } from '../checkpoint/writer.ts';
import { isDataset } from '../data/stream.ts';
import type { AverageState } from '../transforms/index.ts';
import type { CheckpointOptions, RunOptions } from './options.ts';
import { disposeProgress, type Progress } from './progress.ts';
import type { Task } from './task.ts';
import { kernelVariant } from './variant.ts';

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

function fresh<P extends Tree, B>(
  options: RunOptions<P, B>,
  task: Task<P, B>,
  optimizer: GradientTransformation,
  key: Key,
): Progress<P> {
  const params = options.params === undefined ? task.init(key) : treeClone(options.params);
  return { params, optimizer: optimizer.init(params), state: createState(options.state), step: 0 };
}

function mismatch(found: Found, message: string): never {
  throw new CheckpointError('CHECKPOINT_MISMATCH', `The checkpoint '${found.name}' does not fit this run: ${message}`);
}

function checkSameRun<P extends Tree, B>(found: Found, options: RunOptions<P, B>): Dataset<B> {
  const { data, key } = options;
  if (!isDataset(data)) {
    mismatch(
      found,
      'data is an async iterable, and nobody can get back to the middle of one. Pass a Dataset (asDataset makes one of a ' +
        'stream that can be repeated), or resume: false to start over.',
    );
  }
  const { info } = found;
  if (info.key.hi !== key.hi || info.key.lo !== key.lo) {
    mismatch(found, 'it was made with another key. Pass the same key, or resume: false to start over.');
  }
  const was = JSON.stringify((info.extra as { data?: Json }).data);
  const is = JSON.stringify(dataSizes(data));
  if (was !== is) mismatch(found, `its data had ${was}, the data now have ${is}. Pass the same data and batch size.`);
  return data;
}

/** Puts a checkpoint's values in the place of fresh ones. */
function restore<P extends Tree>(found: Found, like: Progress<P>, averaged: boolean): Progress<P> {
  const { tensors, info } = found;
  if (!averaged && partEntries(tensors, 'ema').length > 0) {
    mismatch(found, 'it has averaged parameters, and this run keeps none. Pass the same ema.');
  }
  const parts = restoreParts(found, { params: like.params, ...optimizerParts(like.optimizer, averaged) });
  const state = createState();
  for (const [path, tensor] of partEntries(tensors, 'state')) state.set(path, tensor);
  return {
    params: parts.params as P,
    optimizer: averaged ? { average: parts.ema!, inner: parts.opt! } : parts.opt!,
    state,
    step: info.step,
  };
}

async function find(options: CheckpointOptions): Promise<{ found: Found | undefined; stale: string[] }> {
  if (options.resume === true) return { found: await newestCheckpoint(options.store), stale: [] };
  const there = await listCheckpoints(options.store);
  if (there.length > 0 && options.resume === undefined) {
    throw new CheckpointError(
      'CHECKPOINT_STORE',
      `The store holds checkpoints up to step ${there[0]!.step}. Pass checkpoint: { resume: true } to go on from there, ` +
        'or resume: false to start over and remove them.',
    );
  }
  return { found: undefined, stale: there.map(({ name }) => name) };
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
  const { found, stale } =
    options.checkpoint === undefined ? { found: undefined, stale: [] } : await find(options.checkpoint);
  if (found === undefined) {
    const progress = fresh(options, task, optimizer, initKey);
    return { progress, position: { epoch: 0, batch: 0 }, saved: undefined, notes: [], stale };
  }
  let like: Progress<P> | undefined;
  try {
    checkSameRun(found, options);
    like = fresh(options, task, optimizer, initKey);
    const progress = restore(found, like, options.ema !== undefined);
    const tensors = Object.fromEntries(partEntries(found.tensors, 'hooks'));
    const { info, rejected } = found;
    const notes = rejected.map((reason) => `A broken checkpoint was passed over. ${reason}`);
    const [was, is] = [`${info.backend} (${info.variant})`, `${tf.getBackend()} (${kernelVariant()})`];
    if (was !== is) notes.push(`Resumed on ${is}, begun on ${was}: results may differ in the last bits.`);
    return { progress, position: info.position, saved: { extra: info.extra as never, tensors }, notes, stale };
  } catch (error) {
    treeDispose(found.tensors);
    throw error;
  } finally {
    if (like !== undefined) disposeProgress(like);
  }
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
