// What threads share gives the same bits however many there are.
import { KernelName } from '@frugal/tensor';
import '@tensorflow/tfjs-layers';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restore, trainable } from './index.ts';
import { firstDifference, numbers, runKernel } from './testing.ts';
import { currentRuntime } from './trainable.ts';

type Make = () => tf.Tensor | tf.Tensor[];

/** Made once: they would take longer than what is tested. */
const made = new Map<string, Float32Array>();
function tensor<R extends tf.Rank>(shape: number[], seed = 1): tf.Tensor<R> {
  const size = tf.util.sizeFromShape(shape);
  const values = made.get(`${size} ${seed}`) ?? numbers(size, seed);
  made.set(`${size} ${seed}`, values);
  return tf.tensor(values, shape as never) as tf.Tensor<R>;
}
const wide = [1500, 1100];
const images = (channels: number, seed = 1): tf.Tensor4D => tensor<tf.Rank.R4>([8, 30, 29, channels], seed);
const rows = Int32Array.from({ length: 3000 }, (_, i) => (i * 7919) % 1500);
const stream = { hi: 3, lo: 4, offset: 5 };
const step = {
  count: 1,
  learningRate: 0.1,
  gradScale: 1,
  decays: [0.1],
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  step: 3,
};
const gradient = (f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor => tf.grad(f)(x);

/** Each is more work than one thread keeps for itself. */
const cases: Record<string, Make> = {
  arithmetic: () => tf.mul(tf.add(tensor(wide), tensor([1100], 2)), tensor(wide, 3)),
  activations: () => [tf.tanh(tensor(wide)), runKernel(KernelName.Gelu, { x: tensor(wide) })],
  sums: () => [tf.sum(tensor(wide)), tf.sum(tensor(wide), 0), tf.mean(tensor(wide), 1), tf.max(tensor(wide), 0)],
  softmax: () => tf.softmax(tensor(wide)),
  norm: () => {
    const [x, scale, offset] = [tensor(wide), tensor([1100], 2), tensor([1100], 3)];
    const [y, mean, rstd] = runKernel<tf.Tensor[]>(KernelName.LayerNorm, { x, scale, offset }, { epsilon: 1e-5 });
    const inputs = { x, scale, mean: mean!, rstd: rstd!, dy: y! };
    return [y!, ...runKernel<tf.Tensor[]>(KernelName.LayerNormGrad, inputs)];
  },
  crossEntropy: () => {
    const labels = tf.tensor1d(rows.subarray(0, 1500), 'int32');
    return runKernel(KernelName.SoftmaxCrossEntropy, { logits: tensor([1500, 1500]), labels });
  },
  movement: () => [
    tf.transpose(tensor([60, 50, 600]), [1, 2, 0]),
    tf.concat([tensor(wide), tensor(wide, 2)], 1),
    tf.slice(tensor(wide), [1, 1], [1400, 1000]),
    tf.tile(tensor([700, 300]), [2, 3]),
  ],
  rows: () => [
    runKernel(KernelName.GatherRows, { x: tensor(wide) }, { rows }),
    runKernel(KernelName.ScatterAddRows, { into: tensor(wide), x: tensor([3000, 1100], 2) }, { rows }),
    tf.unsortedSegmentSum(tensor([3000, 500]), tf.tensor1d(rows, 'int32'), 1500),
  ],
  einsum: () => tf.einsum('bij,bkj->ik', tensor([9, 90, 70]), tensor([9, 80, 70], 2)),
  pooling: () =>
    ['same', 'valid'].flatMap((pad) => {
      const max = (x: tf.Tensor): tf.Tensor => tf.maxPool(x as tf.Tensor4D, [2, 3], [3, 2], pad as 'same');
      const avg = (x: tf.Tensor): tf.Tensor => tf.avgPool(x as tf.Tensor4D, [2, 3], [3, 2], pad as 'same');
      return [max(images(48)), gradient(max, images(48)), gradient(avg, images(48))];
    }),
  depthwise: () => {
    const f = (x: tf.Tensor, w: tf.Tensor) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same');
    return [f(images(32), tensor([3, 3, 32, 1], 2)), ...tf.grads(f)([images(32), tensor([3, 3, 32, 1], 2)])];
  },
  directConvolution: () => {
    const [x, w, bias] = [images(1), tensor([5, 5, 1, 18], 2), tensor([18], 3)];
    return [
      tf.conv2d(x, w as tf.Tensor4D, 1, 'same'),
      runKernel(KernelName.ConvReluPool, { x, w, bias }, { strides: 1, pad: 'same', pool: 2 }),
    ];
  },
  random: () => [
    runKernel(KernelName.RandomBits, {}, { ...stream, shape: wide }),
    runKernel(KernelName.RandomUniform, {}, { ...stream, shape: wide }),
    runKernel(KernelName.RandomNormal, {}, { ...stream, shape: wide }),
    runKernel(KernelName.RandomSigns, {}, { ...stream, shape: wide }),
    runKernel(KernelName.AddNoise, { p: tensor(wide) }, { ...stream, scale: 0.5, noise: 'normal' }),
  ],
  optimizers: () => [
    ...runKernel<tf.Tensor[]>(KernelName.SgdStep, [tensor(wide), tensor(wide, 2)], step),
    ...runKernel<tf.Tensor[]>(
      KernelName.AdamStep,
      [1, 2, 3, 4].map((seed) => tf.abs(tensor(wide, seed))),
      step,
    ),
    ...runKernel<tf.Tensor[]>(
      KernelName.LionStep,
      [1, 2, 3].map((seed) => tensor(wide, seed)),
      step,
    ),
  ],
};

async function results(make: Make): Promise<(Float32Array | Int32Array)[]> {
  const outputs = tf.tidy(() => [make()].flat());
  const values = await Promise.all(outputs.map(async (t) => (await t.data()) as Float32Array));
  tf.dispose(outputs);
  return values;
}

describe('results do not depend on the number of threads', () => {
  const one: Record<string, (Float32Array | Int32Array)[]> = {};
  beforeAll(async () => {
    await trainable({ threads: 1 });
    for (const [name, make] of Object.entries(cases)) one[name] = await results(make);
  }, 60_000);
  afterAll(restore);

  for (const threads of process.env['FRUGAL_DEEP'] === '1' ? [2, 3, 5] : [3]) {
    it.each(Object.keys(cases))(`${threads} threads: %s`, async (name) => {
      await trainable({ threads });
      expect(currentRuntime()!.pool!.ready).toBe(threads - 1);
      const many = await results(cases[name]!);
      for (const [i, values] of many.entries()) expect(firstDifference(values, one[name]![i]!), `output ${i}`).toBe(-1);
    });
  }
});
