// Trains the networks of `bench early-exit` and writes them as 16-bit floats (runs/early-exit-checkpoint.sh).
import { softmaxCrossEntropy } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import type { ExitModel } from '@frugal/early-exit';
import { key, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { quick } from '../harness.ts';
import { readExits, writeCheckpoint } from '../support/checkpoints.ts';
import { batchesOf, lenet5Exits, lenetExits, parts, pixelHead } from '../support/exit-lenet.ts';
import { accuracies, clock, type Params, percentages, phase, type Regime, teach } from '../support/exit-training.ts';

const threads = process.argv.includes('--one-thread') ? 1 : 'auto';
await useBackend(wasm({ threads }));
const mnist = await readMnist();
const images = parts(mnist, { train: 'rest', validation: 5000 });
const data = batchesOf(images.train, 128, true);
const validation = batchesOf(images.validation, 500);
const test = batchesOf(quick ? { ...mnist.test, size: 1000 } : mnist.test, 500);
const say = clock();
const epochs = (count: number): number => (quick ? 4 : count * data.batchesPerEpoch);

async function watch(outputs: (x: tf.Tensor) => tf.Tensor[]): Promise<void> {
  if (!quick) say(`validation ${percentages(await accuracies(outputs, validation))}`);
}

/** Writes a network, and says what it can do as read back. */
async function keep(name: string, model: ExitModel, params: Params): Promise<void> {
  let kept = params;
  if (!quick) {
    // Two files, so that each stays below 4 MB.
    for (const part of ['backbone', 'heads'] as const) {
      say(`${name}.${part}: ${(await writeCheckpoint(`${name}.${part}`, params[part])).toFixed(2)} MB`);
    }
    kept = await readExits(name, model);
  }
  say(`${name}: test ${percentages(await accuracies((x) => model.outputs(kept, x), test))}, the full network last`);
}

say('the head on the pixels');
const pixels = await phase(pixelHead, {
  loss: (params, { x, y }, ctx) => tf.tidy(() => softmaxCrossEntropy(pixelHead.apply(params, x, ctx), y)),
  ...{ data, steps: epochs(24), peak: 2e-3, reach: 1, key: key(1) },
  watch: (params) => watch((x) => [pixelHead.apply(params, x)]),
});

/** Mixed training: the backbone alone for an epoch, then everything together for eight. */
const mixed: Regime = [
  ['backbone', epochs(1)],
  ['joint', epochs(8)],
];
const common = { data, peak: 1.5e-3 };
say('LeNet');
const lenet = await teach(lenetExits, mixed, {
  // The head on the pixels has weight 0 here: it shares nothing with the network, and has learnt.
  ...{ ...common, weights: [0, 0.5, 0.5, 0.3, 1], key: key(2) },
  watch: (params) => watch((x) => lenetExits.outputs(params, x)),
});
await keep('lenet', lenetExits, { backbone: lenet.backbone, heads: [pixels, ...lenet.heads.slice(1)] } as Params);
say('LeNet-5');
const lenet5 = await teach(lenet5Exits, mixed, { ...common, weights: [0.5, 0.5, 1], key: key(3) });
await keep('lenet5', lenet5Exits, lenet5);
say('done');
