import { type Tree, TreeMismatchError, treeFromEntries, treeRestore } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { CheckpointError } from './errors.ts';
import { type Checkpoint, type CheckpointInfo, decodeCheckpoint, partEntries } from './format.ts';
import type { CheckpointStore } from './store.ts';
import { listCheckpoints } from './writer.ts';

/** A checkpoint from a store, and those that are newer but broken. */
export interface Found extends Checkpoint {
  readonly name: string;
  readonly rejected: readonly string[];
}

/**
 * The newest checkpoint whose every byte is right; undefined if the store has none at all.
 *
 * @throws {CheckpointError} `CHECKPOINT_BROKEN` if there are some and none is good.
 */
export async function newestCheckpoint(store: CheckpointStore): Promise<Found | undefined> {
  const rejected: string[] = [];
  for (const { name } of await listCheckpoints(store)) {
    try {
      return { ...(await decodeCheckpoint(await store.read(name))), name, rejected };
    } catch (error) {
      rejected.push(`${name}: ${(error as Error).message}`);
    }
  }
  if (rejected.length === 0) return undefined;
  throw new CheckpointError(
    'CHECKPOINT_BROKEN',
    `None of the ${rejected.length} checkpoints can be read. ${rejected.join('; ')}. Pass resume: false to start over.`,
  );
}

/** Trees that go on where the checkpoint was: structure from `like`, values from the file. */
export function restoreParts<T extends Readonly<Record<string, Tree>>>(
  { name, tensors }: Pick<Found, 'name' | 'tensors'>,
  like: T,
): T {
  const entries = Object.keys(like).flatMap((part) =>
    partEntries(tensors, part).map(([path, leaf]) => [path === '' ? part : `${part}.${path}`, leaf] as const),
  );
  try {
    return treeRestore(like as Tree, entries) as T;
  } catch (error) {
    if (!(error instanceof TreeMismatchError)) throw error;
    throw new CheckpointError(
      'CHECKPOINT_MISMATCH',
      `The checkpoint '${name}' does not fit this run: ${error.message} Use the model and the optimizer that it was ` +
        'made with, or pass resume: false to start over.',
      { cause: error },
    );
  }
}

/** What a checkpoint holds, for inference and inspection. The caller owns the tensors. */
export interface LoadedCheckpoint<P extends Tree = Tree> {
  readonly name: string;
  readonly info: CheckpointInfo;
  params: P;
  /** State of the modules, by path. */
  state: Record<string, tf.Tensor>;
  /** The averaged parameters, where the run kept them. */
  ema?: P;
}

/** How `loadCheckpoint` reads. */
export interface LoadCheckpointOptions<P extends Tree> {
  /** Which one. Default: the newest good one. */
  name?: string;
  /** Parameters of the expected structure, e.g. from `init`; they stay the caller's. Without it, the names in the file tell. */
  like?: P;
}

/**
 * Reads the parameters and the module state of a run's newest good checkpoint.
 *
 * @throws {CheckpointError} If there is none, it is broken, or it does not fit `like`; says where.
 */
export async function loadCheckpoint<P extends Tree = Tree>(
  store: CheckpointStore,
  options: LoadCheckpointOptions<P> = {},
): Promise<LoadedCheckpoint<P>> {
  const { name, like } = options;
  const found =
    name === undefined
      ? await newestCheckpoint(store)
      : { ...(await decodeCheckpoint(await store.read(name))), name, rejected: [] };
  if (found === undefined) {
    throw new CheckpointError(
      'CHECKPOINT_STORE',
      'The store has no checkpoint. Train with checkpoint: saveTo(store) first.',
    );
  }
  const { tensors, info } = found;
  const tree = (part: string): P => {
    if (like !== undefined) return restoreParts(found, { [part]: like as Tree })[part] as P;
    return treeFromEntries(partEntries(tensors, part)) as P;
  };
  const hasEma = partEntries(tensors, 'ema').length > 0;
  try {
    const params = tree('params');
    const ema = hasEma ? tree('ema') : undefined;
    const state = Object.fromEntries(partEntries(tensors, 'state'));
    for (const part of ['opt', 'hooks']) tf.dispose(Object.fromEntries(partEntries(tensors, part)));
    return { name: found.name, info, params, state, ...(ema === undefined ? {} : { ema }) };
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}
