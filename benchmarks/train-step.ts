// A whole training step of an MLP 784-1024-1024-10, batch 64: loss, gradient, update. Against tfjs's own wasm backend
// with optimizer.minimize, and against jax-js (wasm, jit).
import { adam, sgd, softmaxCrossEntropy } from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import { ensureGradients, fillUniform, key } from '@frugal/tensor';
import { type TrainableOptions, trainable } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';
import { jaxMlpStep, startJax } from './support/jax.ts';
import { kernelTimes } from './support/kernel-times.ts';
import { trainingStep } from './support/step.ts';
import { addStockBackend } from './support/stock.ts';

const SIZES = [784, 1024, 1024, 10];
const BATCH = 64;
const RATE = 0.01;
const pixels = new Float32Array(BATCH * SIZES[0]!);
fillUniform(key(1), pixels);
const labels = Int32Array.from({ length: BATCH }, (_, i) => i % 10);

const stock = await addStockBackend();
await ensureGradients();
await startJax();

/** tfjs as its users write it. */
async function stockStep(optimizer: tf.Optimizer): Promise<() => void> {
  await tf.setBackend(stock);
  const x = tf.tensor2d(pixels, [BATCH, SIZES[0]!]);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), 10);
  const layers = SIZES.slice(1).map((out, i) => ({
    w: tf.variable(tf.randomNormal([SIZES[i]!, out], 0, Math.sqrt(2 / SIZES[i]!)) as tf.Tensor2D),
    b: tf.variable(tf.zeros([out])),
  }));
  const loss = (): tf.Scalar => {
    const logits = layers.reduce((h: tf.Tensor2D, { w, b }, i) => {
      const sum = tf.add(tf.matMul(h, w), b) as tf.Tensor2D;
      return i < layers.length - 1 ? tf.relu(sum) : sum;
    }, x);
    return tf.losses.softmaxCrossEntropy(y, logits) as tf.Scalar;
  };
  return () => optimizer.minimize(loss);
}

async function ourStep(optimizer: typeof sgd | typeof adam): Promise<() => void> {
  await tf.setBackend('wasm');
  const [x, y] = [tf.tensor2d(pixels, [BATCH, SIZES[0]!]), tf.tensor1d(labels, 'int32')];
  return trainingStep({ model: mlp(SIZES), optimizer: optimizer(RATE), loss: softmaxCrossEntropy, x, y });
}

/** Our steps and the peers' in turn, under one choice of threads and instructions. */
async function compare(options: TrainableOptions, names: readonly string[]) {
  const report = await trainable(options);
  const all: Record<string, () => unknown> = {
    'tfjs sgd': await stockStep(tf.train.sgd(RATE)),
    'tfjs adam': await stockStep(tf.train.adam(RATE)),
    'jax-js sgd': jaxMlpStep(SIZES, pixels, labels, RATE),
    'frugal sgd': await ourStep(sgd),
    'frugal adam': await ourStep(adam),
  };
  const sides = Object.fromEntries(names.map((name) => [name, all[name]!]));
  const before = (name: string): Promise<boolean> => tf.setBackend(name.startsWith('tfjs') ? stock : 'wasm');
  const times = await interleave(sides, { before, rounds: quick ? 5 : 9, sampleTime: quick ? 1 : 100 });
  const title = `${report.threads} thread${report.threads > 1 ? 's' : ''}, ${report.relaxed ? 'relaxed' : 'plain'} SIMD`;
  const rows = Object.entries(times).map(([side, { best, median }]) => ({
    [title]: side,
    'best ms': best,
    'median ms': median,
  }));
  table(rows);
  console.log();
  return (name: string): number => times[name]!.best;
}

const many = await compare({}, ['tfjs sgd', 'tfjs adam', 'jax-js sgd', 'frugal sgd', 'frugal adam']);
const one = await compare({ threads: 1 }, ['tfjs sgd', 'jax-js sgd', 'frugal sgd']);

// What is not matmul: kernels timed inside of whole steps, one thread, plain SIMD.
await trainable({ threads: 1, relaxed: false });
const plain = await ourStep(sgd);
const { total, kernels, share } = kernelTimes(plain, quick ? 10 : 100);
table([
  ...Object.entries(kernels)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 8)
    .map(([name, ms]) => ({ 'one thread, plain SIMD': name, ms, share: ms / total })),
  { 'one thread, plain SIMD': 'whole step', ms: total, share: 1 },
]);

finish('train-step', {
  sgd_vs_tfjs: many('tfjs sgd') / many('frugal sgd'),
  adam_vs_tfjs: many('tfjs adam') / many('frugal adam'),
  sgd1_vs_tfjs: one('tfjs sgd') / one('frugal sgd'),
  sgd_vs_jaxjs: many('jax-js sgd') / many('frugal sgd'),
  sgd1_vs_jaxjs: one('jax-js sgd') / one('frugal sgd'),
  other_share: 1 - share(/MatMul/),
});
