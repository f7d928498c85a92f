// Convolutional nets on images of 28 × 28, batch 64: forward against tfjs's own wasm kernels, whole training steps against
// tfjs's cpu backend (which can train them) and against the machine's limit.
import { sgd, softmaxCrossEntropy } from '@frugal/core-trainer';
import { convReluPool2d, dense, flatten, lenet5, relu, sequential, wrap } from '@frugal/nn';
import { ensureGradients, fillUniform, key, type Module } from '@frugal/tensor';
import { trainable } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { digits, finish, interleave, quick, type Side, table } from './harness.ts';
import { kernelTimes } from './support/kernel-times.ts';
import { peakLoops } from './support/peak.ts';
import { type TrainingStep, trainingStep } from './support/step.ts';
import { addStockBackend } from './support/stock.ts';

const BATCH = quick ? 16 : 64;
/** tfjs's cpu backend takes 60 ms an image for LeNet-5 and 1.7 s for the wider net, whatever the batch. */
const COMPARED = quick ? { lenet: 2, conv: 1 } : { lenet: 16, conv: 4 };

/** A convolution with 5 × 5 filters, bias, ReLU and pooling by 2: channels in and out, and the sizes of its images. */
interface Conv {
  readonly from: number;
  readonly to: number;
  readonly size: number;
  readonly pad: 'same' | 'valid';
}

interface Net {
  readonly model: () => Module;
  readonly convs: readonly Conv[];
  readonly dense: readonly (readonly [from: number, to: number])[];
}

const nets: Record<'lenet' | 'conv', Net> = {
  lenet: {
    model: () => lenet5() as unknown as Module,
    convs: [
      { from: 1, to: 6, size: 28, pad: 'same' },
      { from: 6, to: 16, size: 14, pad: 'valid' },
    ],
    dense: [
      [400, 120],
      [120, 84],
      [84, 10],
    ],
  },
  conv: {
    model: () =>
      sequential([
        convReluPool2d(1, 32, 5, { padding: 'same' }),
        convReluPool2d(32, 64, 5, { padding: 'same' }),
        wrap(dense(7 * 7 * 64, 512), { before: [flatten()], after: [relu()] }),
        dense(512, 10),
      ]) as unknown as Module,
    convs: [
      { from: 1, to: 32, size: 28, pad: 'same' },
      { from: 32, to: 64, size: 14, pad: 'same' },
    ],
    dense: [
      [3136, 512],
      [512, 10],
    ],
  },
};

/** FLOPs of a step: what the layers' products take forward, and twice that backward, but for the gradient of the images. */
function stepFlops({ convs, dense: layers }: Net): number {
  const macs = convs.map(({ from, to, size, pad }) => (pad === 'same' ? size : size - 4) ** 2 * 25 * from * to);
  const all = [...macs, ...layers.map(([from, to]) => from * to)].reduce((a, b) => a + b, 0);
  return 2 * BATCH * (3 * all - macs[0]!);
}

const numbers = (shape: number[], seed: number): tf.Tensor => {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  fillUniform(key(seed), values);
  return tf.tensor(values, shape);
};

const stock = await addStockBackend();
await ensureGradients();

/** The convolutions of a net as tfjs's users write them, each with weights that were not seen before. */
async function forwardOn(backend: string, { convs }: Net): Promise<() => void> {
  await tf.setBackend(backend);
  const layers = convs.map(({ from, to, size, pad }, i) => ({
    ...{ x: numbers([BATCH, size, size, from], i) as tf.Tensor4D, pad, bias: tf.zeros([to]) as tf.Tensor1D },
    ...{
      weights: new Float32Array(25 * from * to).fill(0.1),
      shape: [5, 5, from, to] as [number, number, number, number],
    },
  }));
  return () =>
    tf.tidy(() => {
      for (const { x, weights, shape, pad, bias } of layers) {
        const filter = tf.tensor4d(weights, shape);
        tf.maxPool(tf.fused.conv2d({ x, filter, strides: 1, pad, bias, activation: 'relu' }), 2, 2, 'valid');
      }
    });
}

async function stepOn(backend: string, { model }: Net, batch: number): Promise<TrainingStep> {
  await tf.setBackend(backend);
  const [x, y] = [numbers([batch, 28, 28, 1], 1), tf.randomUniform([batch], 0, 10, 'int32', 2)];
  return trainingStep({ model: model(), optimizer: sgd(0.01), loss: softmaxCrossEntropy, x, y });
}

const backendOf = (side: string): string => (side.startsWith('tfjs') ? stock : side.startsWith('cpu') ? 'cpu' : 'wasm');
const before = (side: string): Promise<boolean> => tf.setBackend(backendOf(side));

// One thread: stock has one in Node, and so has the loop that says what the machine can do.
const report = await trainable({ threads: 1 });
const sides: Record<string, Side> = {};
for (const { chains, run } of peakLoops(report.relaxed)) sides[`registers only, ${chains} chains`] = run;
for (const [name, net] of Object.entries(nets)) {
  sides[`tfjs ${name}, forward`] = await forwardOn(stock, net);
  sides[`frugal ${name}, forward`] = await forwardOn('wasm', net);
  sides[`frugal ${name}, step`] = await stepOn('wasm', net, BATCH);
}
const one = await interleave(sides, { before, rounds: quick ? 5 : 11, warmUp: quick ? 2 : 40 });
const peak = Math.max(
  ...peakLoops(report.relaxed).map(({ chains, flops }) => flops / one[`registers only, ${chains} chains`]!.best / 1e6),
);
const shareOf = (name: 'lenet' | 'conv', ms: number): number => stepFlops(nets[name]) / ms / 1e6 / peak;
const forwardRatio = (name: string): number =>
  one[`tfjs ${name}, forward`]!.best / one[`frugal ${name}, forward`]!.best;
const rows = Object.entries(one).filter(([name]) => !name.startsWith('registers'));
const title = `one thread, ${report.relaxed ? 'relaxed' : 'plain'} SIMD, batch ${BATCH}`;
table(rows.map(([name, { best, median }]) => ({ [title]: name, 'best ms': best, 'median ms': median })));
console.log(`\nIn registers only: ${digits(peak)} GFLOP/s.\n`);

await tf.setBackend('wasm');
for (const name of ['lenet', 'conv'] as const) {
  const { total, kernels } = kernelTimes(sides[`frugal ${name}, step`] as () => void, quick ? 5 : 30);
  const most = Object.entries(kernels).sort((a, b) => b[1] - a[1]);
  const parts = [...most.slice(0, 10), ['whole step', total] as const];
  table(parts.map(([part, ms]) => ({ [`${name}, one thread`]: part, ms, share: ms / total })));
  console.log();
}

// Steps as users take them, on all threads, against the cpu backend.
const { threads } = await trainable();
const steps: Record<string, Side> = {};
for (const name of ['lenet', 'conv'] as const) {
  for (const [side, backend] of [
    ['cpu', 'cpu'],
    ['frugal', 'wasm'],
  ] as const) {
    steps[`${side} ${name}`] = await stepOn(backend, nets[name], COMPARED[name]);
  }
}
const many = await interleave(steps, { before, rounds: 5, sampleTime: quick ? 1 : 200, warmUp: 1 });
table(
  Object.entries(many).map(([name, { best, median }]) => ({
    [`a step of ${COMPARED.lenet} or ${COMPARED.conv} images, ${threads} threads`]: name,
    ...{ 'best ms': best, 'median ms': median },
  })),
);

finish('conv', {
  forward_vs_stock: Math.min(forwardRatio('lenet'), forwardRatio('conv')),
  lenet_vs_cpu: many['cpu lenet']!.best / many['frugal lenet']!.best,
  conv_vs_cpu: many['cpu conv']!.best / many['frugal conv']!.best,
  conv_peak_share: shareOf('conv', one['frugal conv, step']!.best),
  lenet_peak_share: shareOf('lenet', one['frugal lenet, step']!.best),
  peak_gflops: peak,
});
