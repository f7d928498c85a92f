// Networks that a script in runs/ has trained once: 16-bit floats, committed, so that a benchmark need not train.
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExitModel, ExitParams } from '@frugal/early-exit';
import { key, type Module, type Tree, treeRestore } from '@frugal/tensor';
import { loadSafetensors, saveSafetensors } from '@frugal/tensor/node';
import * as tf from '@tensorflow/tfjs-core';

/** Where a checkpoint of this name lies. */
export const pathOfCheckpoint = (name: string): string =>
  fileURLToPath(new URL(`../checkpoints/${name}.safetensors`, import.meta.url));

/** Writes a tree as 16-bit floats and returns the size of the file in megabytes. */
export async function writeCheckpoint(name: string, tree: Tree): Promise<number> {
  mkdirSync(dirname(pathOfCheckpoint(name)), { recursive: true });
  await saveSafetensors(pathOfCheckpoint(name), tree, { dtypes: 'F16' });
  return statSync(pathOfCheckpoint(name)).size / 1e6;
}

/** Reads the parameters of a model; the caller owns them. */
export async function readCheckpoint<P extends Tree>(name: string, model: Pick<Module<P>, 'init'>): Promise<P> {
  const like = model.init(key(0));
  const { tensors } = await loadSafetensors(pathOfCheckpoint(name));
  tf.dispose(like as tf.TensorContainer);
  return treeRestore(like, Object.entries(tensors));
}

/** Reads a model with exits, whose heads lie in a file of their own; the caller owns the parameters. */
export async function readExits(name: string, model: ExitModel): Promise<ExitParams<never> & Tree> {
  const backbone = await readCheckpoint(`${name}.backbone`, model.backbone);
  const init = (k: Parameters<ExitModel['init']>[0]): Tree => model.exits.map(({ head }) => head.init(k));
  return { backbone, heads: await readCheckpoint(`${name}.heads`, { init }) } as never;
}
