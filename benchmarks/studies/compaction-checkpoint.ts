// Cuts the LeNet 32-64-512 of `bench early-exit` to a part of its units, teaches what is left by the whole, and writes it as 16-bit floats
// (runs/compaction-checkpoint.sh). How many units stay is chosen on validation images.
import { adamw, classification, cosine, distillation, mapBatches, train } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import type { AnyModule } from '@frugal/nn';
import { pruneUnits } from '@frugal/sparsity-metrics';
import {
  type Dataset,
  foldIn,
  key,
  type Labelled,
  type Module,
  type Staged,
  type Tree,
  useBackend,
} from '@frugal/tensor';
import { saveSafetensors } from '@frugal/tensor/node';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { quick } from '../harness.ts';
import { pathOfCheckpoint, readCheckpoint } from '../support/checkpoints.ts';
import { cutOf, SHARE } from '../support/cut-lenet.ts';
import { batchesOf, lenet, parts, shifted } from '../support/exit-lenet.ts';

const EPOCHS = 3;

await useBackend(wasm({ threads: process.argv.includes('--one-thread') ? 1 : 'auto' }));
const started = performance.now();
const model = lenet as unknown as Staged;
const params: Tree = quick ? model.init(key(1)) : await readCheckpoint('lenet.backbone', model);
const mnist = await readMnist();
const images = parts(mnist, { train: 'rest', validation: 5000 });
const data = batchesOf(images.train, 128, true);
const kept = await pruneUnits(lenet as unknown as AnyModule, params, SHARE);
const cut = await cutOf(model, params, kept);

/** The share of right answers. */
async function accuracy(net: Module, p: Tree, set: Dataset<Labelled>): Promise<number> {
  let right = 0;
  for await (const { x, y } of set.batches({ key: key(0), epoch: 0 })) {
    const count = tf.tidy(() => tf.sum(tf.cast(tf.equal(tf.argMax(net.apply(p, x), 1), y), 'int32')));
    right += (await count.data())[0]!;
    tf.dispose([x, y, count]);
  }
  return right / set.size;
}

const steps = quick ? 4 : EPOCHS * data.batchesPerEpoch;
const run = train({
  ...{ model: cut.model as unknown as Module, params: cut.params, steps, key: foldIn(key(2026), 0) },
  data: mapBatches(data, (batch: Labelled, draw) => shifted(batch, draw, 1)),
  objective: distillation(classification(), (x: tf.Tensor) => model.apply(params, x), { temperature: 4 }),
  optimizer: adamw(cosine(2e-3, { warmup: Math.min(100, steps >> 1), steps }), { weightDecay: 0.02 }),
});
const result = await run.result;
const validation = batchesOf(quick ? { ...images.validation, size: 500 } : images.validation, 500);
const [before, after] = [
  await accuracy(model, params, validation),
  await accuracy(cut.model as unknown as Module, result.params, validation),
];
console.log(`validation ${(100 * before).toFixed(2)} % whole, ${(100 * after).toFixed(2)} % cut`);
if (!quick) {
  await saveSafetensors(pathOfCheckpoint('lenet.cut'), result.params, {
    dtypes: 'F16',
    metadata: { kept: JSON.stringify(kept) },
  });
}
console.log(`${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
