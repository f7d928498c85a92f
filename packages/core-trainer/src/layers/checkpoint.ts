import type { Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkNumber } from '../arguments.ts';
import { partEntries } from '../checkpoint/format.ts';
import { CheckpointError, type CheckpointStore } from '../checkpoint/index.ts';
import { newestCheckpoint } from '../checkpoint/resume.ts';
import { CheckpointWriter, listCheckpoints } from '../checkpoint/writer.ts';
import { kernelVariant } from '../loop/variant.ts';
import { FitCallback } from './callback.ts';
import { LayersOptimizer } from './optimizer.ts';
import { optimizerOf } from './schedule.ts';

/** Options of `saveCheckpoints`. */
export interface SaveCheckpointsOptions {
  /** Epochs from one to the next. Default 1. */
  everyEpochs?: number;
  /** The newest ones that are kept. Default 2. */
  keep?: number;
}

interface LayerWeight {
  readonly originalName: string;
  read(): tf.Tensor;
  write(value: tf.Tensor): unknown;
}

const weightsOf = (model: tfl.LayersModel, which: 'trainableWeights' | 'nonTrainableWeights'): LayerWeight[] =>
  model[which] as unknown as LayerWeight[];

/** Tensors by name, a name that occurs again being numbered. */
function named(entries: readonly (readonly [name: string, tensor: tf.Tensor])[]): Record<string, tf.Tensor> {
  const record: Record<string, tf.Tensor> = {};
  for (const [name, tensor] of entries) {
    const path = name.replaceAll('/', '.');
    let free = path;
    for (let i = 1; free in record; i++) free = `${path}_${i}`;
    record[free] = tensor;
  }
  return record;
}

const valuesOf = (weights: readonly LayerWeight[]): Record<string, tf.Tensor> =>
  named(weights.map((weight) => [weight.originalName, weight.read()]));

/**
 * Writes a checkpoint of a `fit` at the end of an epoch: weights, state of the optimizer, epoch.
 *
 * The same files as `train` writes: `params.dense_Dense1.kernel`, `opt.…`; weights that are not trained are `state.…`.
 *
 * @param store - Where to: `fileStore(folder)` of the `node` subpath, or one for a browser.
 */
export function saveCheckpoints(
  model: tfl.LayersModel,
  store: CheckpointStore,
  { everyEpochs = 1, keep = 2 }: SaveCheckpointsOptions = {},
): FitCallback {
  checkNumber('everyEpochs', everyEpochs, { min: 1, integer: true });
  checkNumber('keep', keep, { min: 1, integer: true });
  const writer = new CheckpointWriter(store, keep, [], () => undefined);
  let saved = -1;
  const save = async (epochs: number): Promise<void> => {
    saved = epochs;
    const optimizer = optimizerOf(model);
    const [iterations, ...slots] = (await optimizer.getWeights()) as { name: string; tensor: tf.Tensor }[];
    const opt = named(slots.map(({ name, tensor }) => [name, tensor]));
    const parts = {
      params: valuesOf(weightsOf(model, 'trainableWeights')),
      opt: { iterations: iterations!.tensor, ...opt } as Tree,
      state: valuesOf(weightsOf(model, 'nonTrainableWeights')),
    };
    const info = {
      step: optimizer.iterations,
      position: { epoch: epochs, batch: 0 },
      key: { hi: 0, lo: 0 },
      backend: tf.getBackend(),
      variant: kernelVariant(),
      extra: { optimizer: optimizer.getClassName() },
    };
    try {
      await writer.save(parts, info);
    } finally {
      iterations!.tensor.dispose(); // made by getWeights; the slots are the optimizer's own
    }
  };
  let last = 0;
  return new FitCallback({
    async epochEnd(epoch) {
      last = epoch + 1;
      if (last % everyEpochs === 0) await save(last);
    },
    async trainEnd() {
      if (last !== saved && last > 0) await save(last);
      await writer.settled();
    },
  });
}

/** What `fit` needs to go on. */
export interface ResumedFit {
  /** Epochs that were complete. */
  initialEpoch: number;
}

/**
 * Puts the newest good checkpoint of a store into a model and its optimizer.
 *
 *     await model.fit(x, y, { epochs: 10, ...(await resumeFit(model, store)), callbacks: [saveCheckpoints(model, store)] });
 *
 * Weights and slots are matched by their order, as a layer's automatic name may differ in another process. The run goes on
 * bit for bit where `fit` itself is reproducible: `shuffle: false`, no unseeded dropout; tfjs's own Adam recomputes its
 * bias correction on loading and may differ in the last bits.
 *
 * @returns `{ initialEpoch: 0 }` where the store is empty; the model is then left alone.
 * @throws {CheckpointError} If none of the checkpoints is good, or the newest does not fit the model; nothing is changed then.
 */
export async function resumeFit(model: tfl.LayersModel, store: CheckpointStore): Promise<ResumedFit> {
  const optimizer = optimizerOf(model);
  if ((await listCheckpoints(store)).length === 0) return { initialEpoch: 0 };
  const { tensors, info, name } = (await newestCheckpoint(store))!;
  try {
    const [iterations, ...slots] = partEntries(tensors, 'opt');
    const was = (info.extra as { optimizer?: string } | null)?.optimizer;
    if (was !== optimizer.getClassName() || iterations === undefined) {
      throw new CheckpointError(
        'CHECKPOINT_MISMATCH',
        `The checkpoint '${name}' was made with ${was ?? 'train()'}, the model has ${optimizer.getClassName()}. Compile ` +
          'it with the same optimizer.',
      );
    }
    const parts = (['trainableWeights', 'nonTrainableWeights'] as const).map((which) => {
      const weights = weightsOf(model, which);
      const values = partEntries(tensors, which === 'trainableWeights' ? 'params' : 'state');
      checkFit(name, weights, values);
      return { weights, values };
    });
    if (LayersOptimizer.is(optimizer)) {
      optimizer.prepare(weightsOf(model, 'trainableWeights').map((weight) => weight.read() as tf.Variable));
    }
    await optimizer.setWeights([iterations, ...slots].map(([path, tensor]) => ({ name: path, tensor })));
    for (const { weights, values } of parts) weights.forEach((weight, i) => void weight.write(values[i]![1]));
    return { initialEpoch: info.position.epoch };
  } finally {
    tf.dispose(tensors);
  }
}

function checkFit(name: string, weights: readonly LayerWeight[], values: readonly [string, tf.Tensor][]): void {
  const shapes = (list: readonly tf.Tensor[]): string => list.map(({ shape }) => `[${shape}]`).join(' ');
  const [wanted, got] = [shapes(weights.map((w) => w.read())), shapes(values.map(([, tensor]) => tensor))];
  if (wanted === got) return;
  throw new CheckpointError(
    'CHECKPOINT_MISMATCH',
    `The checkpoint '${name}' has weights of the shapes ${got}, the model ${wanted}. Build the model that it was made from.`,
  );
}
