// Training steps on TensorFlow itself: ours against tfjs-node's own (the same library, stock kernels, optimizer.minimize)
// and against PyTorch on the CPU. MLP 784-1024-1024-10 and LeNet-5, batch 64. And a million normal numbers.
import { adam, sgd, softmaxCrossEntropy } from '@frugal/core-trainer';
import { load, tensorflow } from '@frugal/libtensorflow';
import { lenet5, mlp } from '@frugal/nn';
import { fillUniform, key, type Module, randomNormal, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { finish, median, quick, table } from './harness.ts';
import { trainingStep } from './support/step.ts';
import { startTorch } from './support/torch.ts';

const SIZES = [784, 1024, 1024, 10];
const BATCH = 64;
const RATE = 0.01;
const pixels = new Float32Array(BATCH * 784);
fillUniform(key(1), pixels);
const classes = Int32Array.from({ length: BATCH }, (_, i) => i % 10);

// A second backend on the same library, with the kernels as npm installs them.
load();
tf.registerBackend('stock', tf.findBackendFactory('tensorflow') as () => tf.KernelBackend);
tf.copyRegisteredKernels('tensorflow', 'stock');
console.log((await useBackend(tensorflow())).reason);

type Variables = Record<string, tf.Variable>;
const variable = (shape: number[], fan: number): tf.Variable =>
  tf.variable(tf.randomNormal(shape, 0, Math.sqrt(2 / fan)));

/** tfjs as its users write it. */
function stockStep(shape: number[], apply: (x: tf.Tensor) => tf.Tensor, optimizer: tf.Optimizer): () => void {
  const x = tf.tensor(pixels, shape);
  const y = tf.oneHot(tf.tensor1d(classes, 'int32'), 10);
  return () => {
    optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, apply(x)) as tf.Scalar)?.dispose();
  };
}

function stockMlp(): (x: tf.Tensor) => tf.Tensor {
  const layers = SIZES.slice(1).map((out, i) => ({
    w: variable([SIZES[i]!, out], SIZES[i]!),
    b: tf.variable(tf.zeros([out])),
  }));
  return (x) =>
    layers.reduce((h, { w, b }, i) => {
      const sum = tf.add(tf.matMul(h as tf.Tensor2D, w as tf.Tensor as tf.Tensor2D), b);
      return i < layers.length - 1 ? tf.relu(sum) : sum;
    }, x);
}

function stockLenet(): (x: tf.Tensor) => tf.Tensor {
  const w: Variables = {
    c1: variable([5, 5, 1, 6], 25),
    c2: variable([5, 5, 6, 16], 150),
    f1: variable([400, 120], 400),
    f2: variable([120, 84], 120),
    f3: variable([84, 10], 84),
  };
  const b = Object.fromEntries(Object.entries(w).map(([name, v]) => [name, tf.variable(tf.zeros([v.shape.at(-1)!]))]));
  const dense = (x: tf.Tensor, name: string): tf.Tensor =>
    tf.add(tf.matMul(x as tf.Tensor2D, w[name] as tf.Tensor as tf.Tensor2D), b[name]!);
  const conv = (x: tf.Tensor, name: string, pad: 'same' | 'valid'): tf.Tensor =>
    tf.maxPool(
      tf.relu(
        tf.add(tf.conv2d(x as tf.Tensor4D, w[name] as tf.Tensor as tf.Tensor4D, 1, pad), b[name]!),
      ) as tf.Tensor4D,
      2,
      2,
      'valid',
    );
  return (x) => {
    const features = tf.reshape(conv(conv(x, 'c1', 'same'), 'c2', 'valid'), [BATCH, 400]);
    return dense(tf.relu(dense(tf.relu(dense(features, 'f1')), 'f2')), 'f3');
  };
}

function ourStep(model: Module, shape: number[], optimizer: typeof sgd | typeof adam): () => void {
  const [x, y] = [tf.tensor(pixels, shape), tf.tensor1d(classes, 'int32')];
  return trainingStep({ model, optimizer: optimizer(RATE), loss: softmaxCrossEntropy, x, y });
}

const flat = [BATCH, 784];
const image = [BATCH, 28, 28, 1];
await tf.setBackend('stock');
const stock = {
  'mlp-sgd': stockStep(flat, stockMlp(), tf.train.sgd(RATE)),
  'mlp-adam': stockStep(flat, stockMlp(), tf.train.adam(RATE)),
  'lenet-sgd': stockStep(image, stockLenet(), tf.train.sgd(RATE)),
  normals: () => tf.randomNormal([1_000_000]).dispose(),
};
await tf.setBackend('tensorflow');
const ours: Record<keyof typeof stock, () => void> = {
  'mlp-sgd': ourStep(mlp(SIZES), flat, sgd),
  'mlp-adam': ourStep(mlp(SIZES), flat, adam),
  'lenet-sgd': ourStep(lenet5(), image, sgd),
  normals: () => randomNormal(key(3), [1_000_000]).dispose(),
};

const torch = await startTorch();
console.log('error' in torch ? torch.error : torch.name);

/** Milliseconds per call. */
async function time(side: 'stock' | 'frugal' | 'torch', name: keyof typeof stock, count: number): Promise<number> {
  if (side === 'torch') return 'error' in torch ? Number.NaN : torch.time(name, count);
  await tf.setBackend(side === 'stock' ? 'stock' : 'tensorflow');
  const run = (side === 'stock' ? stock : ours)[name];
  const start = performance.now();
  for (let i = 0; i < count; i++) run();
  return (performance.now() - start) / count;
}

// In turn, so that what disturbs the machine disturbs all alike; the tapes of JavaScript need some time to be compiled.
const sides = ['frugal', 'stock', 'torch'] as const;
const rounds = quick ? 5 : 15;
const figures: Record<string, number> = {};
const rows: Record<string, string | number>[] = [];
for (const name of Object.keys(stock) as (keyof typeof stock)[]) {
  const count = quick ? 5 : 20;
  const samples = Object.fromEntries(sides.map((side) => [side, [] as number[]])) as Record<
    (typeof sides)[number],
    number[]
  >;
  for (const side of sides) await time(side, name, quick ? 20 : 60);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < sides.length; i++) {
      const side = sides[(i + round) % sides.length]!;
      samples[side].push(await time(side, name, count));
    }
  }
  const best = Object.fromEntries(sides.map((side) => [side, Math.min(...samples[side])]));
  const row: Record<string, string | number> = { 'best ms': name };
  for (const side of sides) row[side] = Number.isNaN(best[side]) ? '–' : best[side]!;
  rows.push({ ...row, 'frugal median': median(samples.frugal), 'stock ÷ frugal': best['stock']! / best['frugal']! });
  figures[`${name}_vs_tfjs`] = best['stock']! / best['frugal']!;
  if (!('error' in torch)) figures[`${name}_vs_torch`] = best['torch']! / best['frugal']!;
}
table(rows);
if (!('error' in torch)) torch.close();

const named: Record<string, string> = { 'mlp-sgd': 'sgd', 'mlp-adam': 'adam', 'lenet-sgd': 'lenet', normals: 'normal' };
finish(
  'tensorflow',
  Object.fromEntries(
    Object.entries(figures).map(([name, value]) => {
      const [what, peer] = name.split('_vs_');
      return [`${named[what!]}_vs_${peer}`, value];
    }),
  ),
);
process.exit(0);
