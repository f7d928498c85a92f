// What runs/forward-fit-stock-wasm.sh runs: model.fit of a conv net and of an embedding model with the forward optimizer, on
// tfjs's own wasm kernels, which cannot go backward through either. Backprop, for comparison, runs on @frugal/wasm in a
// process of its own (--backprop).

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Examples, normalizations, toBatch } from '@frugal/datasets';
import { readMnist, readMobyDick } from '@frugal/datasets/node';
import { ensureGradients, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { finish, quick, table } from '../../benchmarks/harness.ts';
import { convNet, fit, letterNet, type Pairs, type Way } from './layers-models.ts';

const start = performance.now();
const IMAGES = quick ? 3_000 : 60_000;
const LETTERS = quick ? 3_000 : 60_000;
const CONTEXT = 6;
const convolution = { epochs: quick ? 1 : 3, batchSize: 64, groupSize: 8 };
const embedding = { epochs: quick ? 1 : 5, batchSize: 64, groupSize: 4 };

const oneHot = (labels: Int32Array, classes: number): tf.Tensor =>
  tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), classes), 'float32'));

/** The first `count` examples as tensors. */
function images(examples: Examples, count: number): Pairs {
  const rows = Int32Array.from({ length: count }, (_, i) => i);
  const { x, y } = toBatch(examples, rows, { normalization: normalizations.mnist });
  const targets = tf.tidy(() => tf.cast(tf.oneHot(y as tf.Tensor1D, 10), 'float32'));
  y.dispose();
  return { x, y: targets };
}

/** Windows of letters (a…z, and 26 for all between words) with the letter after each. */
function windows(text: string, from: number, count: number): Pairs {
  const letters = [...text.toLowerCase().replaceAll(/[^a-z]+/g, ' ')].map((c) =>
    c === ' ' ? 26 : c.charCodeAt(0) - 97,
  );
  const x = new Float32Array(count * CONTEXT);
  for (let i = 0; i < count; i++) x.set(letters.slice(from + i, from + i + CONTEXT), i * CONTEXT);
  const next = Int32Array.from({ length: count }, (_, i) => letters[from + i + CONTEXT]!);
  return { x: tf.tensor2d(x, [count, CONTEXT]), y: oneHot(next, 27) };
}

async function letters(way: Way, peak: number) {
  const book = await readMobyDick();
  const [train, test] = [windows(book, 100_000, LETTERS), windows(book, 100_000 + LETTERS + 1_000, 10_000)];
  const result = await fit(letterNet(), way, train, test, { ...embedding, peak });
  tf.dispose([train, test] as unknown as tf.TensorContainer);
  return result;
}

if (process.argv.includes('--backprop')) {
  const { wasm } = await import('@frugal/wasm');
  await useBackend(wasm());
  console.log(JSON.stringify(await letters('backprop', 5e-3)));
  process.exit(0);
}

const backend = await import('@tensorflow/tfjs-backend-wasm');
const kernels = import.meta.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm');
backend.setWasmPaths(fileURLToPath(new URL('.', kernels)));
await tf.setBackend('wasm');
await ensureGradients();
for (const kernel of ['Conv2DBackpropFilter', 'UnsortedSegmentSum']) {
  if (tf.getKernel(kernel, 'wasm') != null) throw new Error(`${kernel} is registered: this is not the stock backend.`);
}

const mnist = await readMnist();
const train = images(mnist.train, IMAGES);
const test = images(mnist.test, 10_000);
const rows: Record<string, string | number>[] = [];
const note = (model: string, way: string, result: Awaited<ReturnType<typeof fit>>): typeof result => {
  rows.push({ model, way, 'test loss': result.loss, 'test accuracy': result.accuracy, seconds: result.seconds });
  console.log(`${model}, ${way}: loss ${result.loss.toFixed(4)}, accuracy ${(100 * result.accuracy).toFixed(2)} %`);
  return result;
};
const conv = note('conv net', 'local', await fit(convNet(), 'local', train, test, { ...convolution, peak: 3e-3 }));
const control = note('conv net', 'frozen', await fit(convNet(), 'frozen', train, test, { ...convolution, peak: 1e-2 }));
tf.dispose([train, test] as unknown as tf.TensorContainer);
const local = note('letters', 'local', await letters('local', 5e-3));
const frozen = note('letters', 'frozen', await letters('frozen', 1e-2));

const args = [...process.execArgv, fileURLToPath(import.meta.url), '--backprop', ...(quick ? ['--quick'] : [])];
const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
if (child.status !== 0) throw new Error(`Backprop failed:\n${child.stderr}`);
const reverse = note('letters', 'backprop on @frugal/wasm', JSON.parse(child.stdout.trim().split('\n').at(-1)!));

const minutes = (performance.now() - start) / 60_000;
table(rows);
console.log(`${minutes.toFixed(1)} minutes in all`);
finish(
  'forward-fit-stock-wasm',
  {
    conv_accuracy: conv.accuracy,
    conv_over_frozen: conv.accuracy - control.accuracy,
    embedding_loss_ratio: local.loss / reverse.loss,
    embedding_frozen_loss_ratio: frozen.loss / reverse.loss,
    embedding_loss: local.loss,
    conv_seconds: conv.seconds,
    minutes,
  },
  'runs',
);
