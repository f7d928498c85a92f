import { createState, type Dataset, type Tree, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { partEntries } from '../checkpoint/format.ts';
import { CheckpointError, type CheckpointStore, type Json } from '../checkpoint/index.ts';
import { type Found, newestCheckpoint, restoreParts } from '../checkpoint/resume.ts';
import { CheckpointWriter, listCheckpoints } from '../checkpoint/writer.ts';
import { isDataset } from '../data/stream.ts';
import { type Cadence, checkCadence } from './cadence.ts';
import type { RunOptions } from './options.ts';
import { disposeProgress, type Progress } from './progress.ts';
import { type Beginning, dataSizes, freshBeginning, optimizerParts } from './setup.ts';
import { kernelVariant } from './variant.ts';

/** When and how many checkpoints are written, and whether an earlier run goes on. */
export interface SaveToOptions extends Cadence {
  /**
   * Go on from the newest good checkpoint where there is one (true), or start over (false: the old ones go as soon as
   * a new one is safe). Without it, a store that holds checkpoints is refused.
   */
  readonly resume?: boolean;
  /** Default 1, unless `everySteps` is given. */
  readonly everyEpochs?: number;
  readonly everySteps?: number;
  /** The newest ones that are kept, at least 1. Default 2. */
  readonly keep?: number;
}

/** What a run does with checkpoints. It brings the file format along, which runs without checkpoints need not load. */
export interface Checkpoints extends Cadence {
  /** Goes on from a checkpoint, or begins with what `make` makes. */
  begin<P extends Tree, B>(options: RunOptions<P, B>, make: () => Progress<P>): Promise<Beginning<P>>;
  writer(stale: readonly string[], written: (step: number, path: string) => void): CheckpointWriter;
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

async function find(store: CheckpointStore, resume: boolean | undefined): Promise<{ found?: Found; stale: string[] }> {
  if (resume === true) {
    const found = await newestCheckpoint(store);
    return found === undefined ? { stale: [] } : { found, stale: [] };
  }
  const there = await listCheckpoints(store);
  if (there.length > 0 && resume === undefined) {
    throw new CheckpointError(
      'CHECKPOINT_STORE',
      `The store holds checkpoints up to step ${there[0]!.step}. Pass saveTo(store, { resume: true }) to go on from there, ` +
        'or resume: false to start over and remove them.',
    );
  }
  return { stale: there.map(({ name }) => name) };
}

/** A run that goes on where a checkpoint was made. */
function goOn<P extends Tree, B>(found: Found, options: RunOptions<P, B>, make: () => Progress<P>): Beginning<P> {
  let like: Progress<P> | undefined;
  try {
    checkSameRun(found, options);
    like = make();
    const progress = restore(found, like, options.ema !== undefined);
    const tensors = Object.fromEntries(partEntries(found.tensors, 'hooks'));
    const { info, rejected } = found;
    const notes = rejected.map((reason) => `A broken checkpoint was passed over. ${reason}`);
    const [was, is] = [`${info.backend} (${info.variant})`, `${tf.getBackend()} (${kernelVariant()})`];
    if (was !== is) notes.push(`Resumed on ${is}, begun on ${was}: results may differ in the last bits.`);
    return { progress, position: info.position, saved: { extra: info.extra as never, tensors }, notes, stale: [] };
  } catch (error) {
    treeDispose(found.tensors);
    throw error;
  } finally {
    if (like !== undefined) disposeProgress(like);
  }
}

/**
 * Has a run keep checkpoints in a store, and go on from the newest good one.
 *
 *     train({ …, checkpoint: saveTo(directoryStore('checkpoints'), { everyEpochs: 1, resume: true }) })
 *
 * A resumed run equals the undisturbed one bit for bit. Files are written to the side, checksummed and renamed, while
 * training goes on.
 *
 * @param store A folder (`@frugal/core-trainer/node`), `browserStore`, memory, or one of the user's.
 * @returns The value of `train`'s `checkpoint`.
 * @throws {FrugalError} `INVALID_ARGUMENT` if a number is out of range; later, through the run, `CheckpointError` if the
 *   store holds checkpoints and `resume` is not given, or the newest one does not fit.
 */
export function saveTo(store: CheckpointStore, options: SaveToOptions = {}): Checkpoints {
  const { resume, keep = 2, everyEpochs, everySteps } = options;
  checkCadence('saveTo', options);
  checkNumber('saveTo: keep', keep, { min: 1, integer: true });
  return {
    everyEpochs,
    everySteps,
    async begin(run, make) {
      const { found, stale } = await find(store, resume);
      return found === undefined ? freshBeginning(make(), stale) : goOn(found, run, make);
    },
    writer: (stale, written) => new CheckpointWriter(store, keep, stale, written),
  };
}
