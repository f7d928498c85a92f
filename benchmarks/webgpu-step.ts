// Training steps on WebGPU, ours against tfjs-layers' fit on the same adapter: throughput, Adam alone, dispatches a step.
// Without a GPU it runs on npm's SwiftShader, whose milliseconds say nothing; the ratios of dispatches do.
import { adam, fromArrays, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import { conv2d, dense, flatten, maxPool2d, mlp, relu, sequential } from '@frugal/nn';
import { adamStep, key, type Module, randomNormal, type Tree, treeDispose, useBackend } from '@frugal/tensor';
import { webgpu } from '@frugal/webgpu';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { chromium, hasChromium } from '../tests/support/chromium.ts';
import { finish, interleave, quick, table } from './harness.ts';

const vulkan = hasChromium ? { vulkan: (await chromium()).vulkan } : {};
const { details } = await useBackend(webgpu({ adapter: 'any', ...vulkan }));
console.log(`Adapter: ${details.adapter}${details.software === true ? ' (emulated on the CPU)' : ''}\n`);

let dispatches = 0;
const { prototype } = GPUComputePassEncoder;
const stock = prototype.dispatchWorkgroups;
prototype.dispatchWorkgroups = function counted(...args: Parameters<typeof stock>): undefined {
  dispatches++;
  return stock.apply(this, args);
};

const BATCHES = quick ? 3 : 10;

interface Contest {
  readonly shape: number[];
  readonly batch: number;
  readonly ours: Module;
  readonly layers: () => tfl.layers.Layer[];
}

const contests: Record<string, Contest> = {
  mlp: {
    shape: [784],
    batch: 32,
    ours: mlp([784, 128, 10]) as Module,
    layers: () => [
      tfl.layers.dense({ inputShape: [784], units: 128, activation: 'relu' }),
      tfl.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  },
  conv: {
    shape: [12, 12, 1],
    batch: 16,
    ours: sequential({
      conv: conv2d(1, 8, 3),
      relu: relu(),
      pool: maxPool2d(2),
      flat: flatten(),
      head: dense(200, 10),
    }) as unknown as Module,
    layers: () => [
      tfl.layers.conv2d({ inputShape: [12, 12, 1], filters: 8, kernelSize: 3, activation: 'relu' }),
      tfl.layers.maxPooling2d({ poolSize: 2 }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10, activation: 'softmax' }),
    ],
  },
};

const figures: Record<string, number> = {};
const rows: Record<string, string | number>[] = [];

for (const [name, { shape, batch, ours, layers }] of Object.entries(contests)) {
  const size = BATCHES * batch;
  const pixels = randomNormal(key(1), [size, ...shape]);
  const values = (await pixels.data()) as Float32Array;
  const labels = Int32Array.from({ length: size }, (_, i) => (i * 7) % 10);
  const targets = tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), 10), 'float32');
  const model = tfl.sequential({ layers: layers() });
  model.compile({ optimizer: tf.train.adam(1e-3, 0.9, 0.999, 1e-7), loss: 'categoricalCrossentropy' });
  const data = fromArrays({ x: { values, shape }, y: labels }, { batchSize: batch });
  const sides = {
    ours: async (): Promise<void> => {
      const options = { model: ours, data, optimizer: adam(1e-3), key: key(2), epochs: 1 };
      const loss = (params: Tree, { x, y }: { x: tf.Tensor; y: tf.Tensor }): tf.Tensor1D =>
        softmaxCrossEntropy(ours.apply(params, x), y);
      const result = await train({ ...options, loss } as never).result;
      treeDispose([result.params, result.optimizer, Object.values(result.state)] as never);
    },
    fit: async (): Promise<void> => {
      await model.fit(pixels, targets, { epochs: 1, batchSize: batch, verbose: 0 });
    },
  };
  const counts: Record<string, number> = {};
  for (const [side, run] of Object.entries(sides)) {
    await run(); // compiles
    dispatches = 0;
    await run();
    counts[side] = dispatches / BATCHES;
  }
  const times = await interleave(sides, { rounds: 5, sampleTime: 1, warmUp: 1 });
  figures[`${name}_vs_fit`] = times.fit.best / times.ours.best;
  if (name === 'mlp') figures.dispatches_vs_tfjs = counts.ours! / counts.fit!;
  else figures[`${name}_dispatches_vs_tfjs`] = counts.ours! / counts.fit!;
  rows.push({
    net: `${name}, batch ${batch}`,
    'ours, samples/s': (1000 * size) / times.ours.best,
    'fit, samples/s': (1000 * size) / times.fit.best,
    'ours ÷ fit': times.fit.best / times.ours.best,
    'dispatches a step, ours': counts.ours!,
    'fit ': counts.fit!,
  });
  tf.dispose([pixels, targets]);
  model.dispose();
}
table(rows);

const shapes = [[784, 256], [256], [256, 10], [10]];
const tensors = (salt: number): tf.Tensor[] => shapes.map((shape, i) => randomNormal(key(salt + i), shape));
const grads = tensors(10);
let [params, m, v] = [tensors(20), shapes.map((shape) => tf.zeros(shape)), shapes.map((shape) => tf.zeros(shape))];
const variables = tensors(20).map((start) => tf.variable(start));
const optimizer = tf.train.adam(1e-3, 0.9, 0.999, 1e-8);
const given = variables.map(({ name }, i) => ({ name, tensor: grads[i]! }));
let step = 0;
const waitFor = async (x: tf.Tensor): Promise<void> => {
  await tf.tidy(() => tf.sum(tf.slice(tf.reshape(x, [-1]), 0, 1))).data();
};
const STEPS = 5;
const adams = await interleave({
  ours: async () => {
    for (let i = 0; i < STEPS; i++) {
      const options = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: ++step };
      ({ params, m, v } = adamStep({ params, grads, m, v }, options));
    }
    await waitFor(params[0]!);
  },
  tfjs: async () => {
    for (let i = 0; i < STEPS; i++) optimizer.applyGradients(given);
    await waitFor(variables[0]!);
  },
});
figures.adam_vs_tfjs = adams.tfjs.best / adams.ours.best;
console.log(
  `\nAdam on 203,530 parameters: ${(adams.ours.best / STEPS).toFixed(2)} ms a step, tfjs ${(adams.tfjs.best / STEPS).toFixed(2)} ms.`,
);
finish('webgpu-step', figures);
