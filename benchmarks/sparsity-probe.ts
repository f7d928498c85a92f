// What the activation probe costs: a forward pass watched ÷ bare, batch 64, wasm.
import { lenet5, mlp, vit } from '@frugal/nn';
import { createProbe } from '@frugal/sparsity-metrics';
import { key, randomNormal, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import type * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, median, quick, table } from './harness.ts';

const BATCH = 64;

/** A forward pass whose logits are read, as whoever wants a prediction does. */
function forward<P>(model: { init(k: ReturnType<typeof key>): P; apply(p: P, x: tf.Tensor): tf.Tensor }, x: tf.Tensor) {
  const params = model.init(key(1));
  return () => model.apply(params, x);
}

async function logits(y: tf.Tensor): Promise<void> {
  await y.data();
  y.dispose();
}

const { reason } = await useBackend(wasm());
console.log(`${reason} Batch ${BATCH}.\n`);
const images = randomNormal(key(2), [BATCH, 28, 28, 1]);
const models = {
  'MLP 784-1024-1024-10': forward(mlp([784, 1024, 1024, 10]), images),
  'LeNet-5': forward(lenet5(), images),
  'ViT 64 × 4, ReLU': forward(vit({ feedForward: { activation: 'relu' } }), images),
};

const rows = [];
const overheads: number[] = [];
for (const [name, run] of Object.entries(models)) {
  const probe = createProbe();
  const bare = (): Promise<void> => logits(run());
  // Reading the report is part of the pass: until then nothing is counted.
  const watched = async (): Promise<void> => {
    await logits(probe.run(run));
    await probe.read();
    probe.reset();
  };
  const times = await interleave({ bare, watched }, { rounds: quick ? 7 : 41, warmUp: 10, clock: 'cpu' });
  // Samples of a round are neighbours in time, so their ratio is steadier than that of the best ones.
  const overhead = median(times.bare.samples.map((sample, i) => times.watched.samples[i]! / sample)) - 1;
  overheads.push(overhead);
  rows.push({ model: name, 'bare ms': times.bare.median, 'watched ms': times.watched.median, overhead });
}
table(rows);
finish('sparsity-probe', { overhead: Math.max(...overheads) });
images.dispose();
