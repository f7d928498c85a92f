import {
  interpret,
  type KernelHandler,
  key,
  type Module,
  type Tree,
  treeDispose,
  treeLeaves,
  valueAndGrad,
} from '@frugal/tensor';
import {
  describeEachBackend,
  expectClose,
  expectGradient,
  expectNoLeak,
  layerOutput,
  normalTensor,
} from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { relu } from './activations.ts';
import { convReluPool2d } from './conv-relu-pool2d.ts';
import { convTranspose2d } from './conv-transpose2d.ts';
import { conv1d } from './conv1d.ts';
import { conv2d } from './conv2d.ts';
import { dense } from './dense.ts';
import { depthwiseConv2d } from './depthwise-conv2d.ts';
import { normal } from './initializers.ts';
import { flatten, maxPool2d } from './pool.ts';
import { sequential } from './sequential.ts';
import { wrap } from './wrap.ts';

type Weights = { weight: tf.Tensor; bias?: tf.Tensor };
type Case = [name: string, layer: Module<Weights>, other: () => tfl.layers.Layer, input: number[]];
const biasInit = normal({ sd: 1 });
const l = tfl.layers;

const cases: Case[] = [
  ['conv2d', conv2d(3, 4, 3, { biasInit }), () => l.conv2d({ filters: 4, kernelSize: 3 }), [2, 7, 6, 3]],
  [
    'conv2d, same, stride 2',
    conv2d(1, 4, [5, 3], { strides: 2, padding: 'same', biasInit }),
    () => l.conv2d({ filters: 4, kernelSize: [5, 3], strides: 2, padding: 'same' }),
    [2, 7, 8, 1],
  ],
  [
    'conv2d, dilated, no bias',
    conv2d(2, 3, 3, { dilation: 2, padding: 'same', bias: false }) as Module<Weights>,
    () => l.conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same', useBias: false }),
    [1, 8, 8, 2],
  ],
  ['conv1d', conv1d(3, 4, 3, { biasInit }), () => l.conv1d({ filters: 4, kernelSize: 3 }), [2, 7, 3]],
  [
    'conv1d, same, stride 2',
    conv1d(2, 4, 3, { padding: 'same', stride: 2, biasInit }),
    () => l.conv1d({ filters: 4, kernelSize: 3, padding: 'same', strides: 2 }),
    [2, 9, 2],
  ],
  [
    'depthwiseConv2d',
    depthwiseConv2d(3, 3, { multiplier: 2, padding: 'same', strides: 2, biasInit }),
    () => l.depthwiseConv2d({ depthMultiplier: 2, kernelSize: 3, padding: 'same', strides: 2 }),
    [2, 7, 7, 3],
  ],
  [
    'convTranspose2d',
    convTranspose2d(3, 2, 3, { strides: 2, biasInit }),
    () => l.conv2dTranspose({ filters: 2, kernelSize: 3, strides: 2 }),
    [2, 4, 5, 3],
  ],
  [
    'convTranspose2d, same',
    convTranspose2d(3, 2, 4, { strides: 2, padding: 'same', biasInit }),
    () => l.conv2dTranspose({ filters: 2, kernelSize: 4, strides: 2, padding: 'same' }),
    [2, 4, 5, 3],
  ],
];

describeEachBackend('convolutions', () => {
  for (const [name, layer, other, input] of cases) {
    it(`${name} equals a tfjs layer with the same weights`, async () => {
      const params = layer.init(key(1));
      const x = normalTensor(2, input);
      await expectNoLeak(async () => {
        const y = layer.apply(params, x);
        const expected = layerOutput(other(), x, Object.values(params) as tf.Tensor[]);
        expect(y.shape).toEqual(expected.shape);
        await expectClose(y, expected, 1e-5);
        tf.dispose([y, expected]);
      });
      treeDispose([params as Tree, x]);
    });
  }

  it('takes a count of zeros as padding', async () => {
    await expectNoLeak(async () => {
      const x = normalTensor(3, [1, 6, 6, 2]);
      const [wide, narrow] = [conv2d(2, 3, 3, { padding: 2, strides: 2 }), conv2d(2, 3, 3, { strides: 2 })];
      const params = wide.init(key(4));
      const padded = tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]]); // biome-ignore format: a table
      const [y, expected] = [wide.apply(params, x), narrow.apply(params, padded)];
      expect(y.shape).toEqual([1, 4, 4, 3]);
      await expectClose(y, expected, 1e-5);
      const up = convTranspose2d(2, 2, 3, { padding: 1 });
      const upParams = up.init(key(5));
      const same = up.apply(upParams, x);
      expect(same.shape).toEqual([1, 6, 6, 2]);
      treeDispose([params, padded, y, expected, x, upParams, same]);
    });
  });

  it('causal convolution looks back only', async () => {
    await expectNoLeak(async () => {
      const x = normalTensor(1, [2, 9, 2]);
      const layer = conv1d(2, 4, 3, { padding: 'causal', dilation: 2 });
      const params = layer.init(key(2));
      const y = layer.apply(params, x);
      const expected = tf.tidy(() => {
        const late = tf.pad(x, [[0, 0], [4, 0], [0, 0]]) as tf.Tensor3D; // biome-ignore format: a table
        return tf.add(tf.conv1d(late, params.weight, 1, 'valid', 'NWC', 2), params.bias);
      });
      await expectClose(y, expected, 1e-5);
      treeDispose([params, x, y, expected]);
    });
  });

  it('the transposed convolution is the adjoint of the convolution', async () => {
    await expectNoLeak(async () => {
      const weight = normalTensor<tf.Rank.R4>(1, [3, 3, 2, 4]);
      const [x, y] = [normalTensor(2, [2, 6, 6, 2]), normalTensor(3, [2, 3, 3, 4])];
      const options = { strides: 2, padding: 'same', bias: false } as const;
      const forward = conv2d(2, 4, 3, options).apply({ weight }, x);
      const back = convTranspose2d(4, 2, 3, options).apply({ weight }, y);
      const [there, here] = tf.tidy(() => [tf.sum(tf.mul(forward, y)), tf.sum(tf.mul(x, back))]);
      await expectClose(there!, await here!.data(), 1e-4);
      tf.dispose([weight, x, y, forward, back, there!, here!]);
    });
  });

  for (const [name, layer, , input] of cases.filter(([name]) => !name.includes('dilated') && !name.includes('depth'))) {
    it(`${name} has the right gradients`, async () => {
      const tree = { p: layer.init(key(1)) as Tree, x: normalTensor(2, input) };
      await expectNoLeak(() => expectGradient(({ p, x }) => layer.apply(p as Weights, x), tree));
      treeDispose(tree);
    });
  }

  it('dilated conv2d has the right gradients', async () => {
    const layer = conv2d(2, 3, 3, { dilation: 2, padding: 'same' });
    const tree = { p: layer.init(key(1)), x: normalTensor(2, [1, 6, 6, 2]) };
    await expectNoLeak(() => expectGradient(({ p, x }) => layer.apply(p, x), tree));
    treeDispose(tree);
  });

  it('depthwise has the right gradients', async () => {
    const layer = depthwiseConv2d(3, 3, { padding: 'same' });
    const tree = { p: layer.init(key(1)), x: normalTensor(2, [2, 5, 5, 3]) };
    await expectNoLeak(() => expectGradient(({ p, x }) => layer.apply(p, x), tree));
    treeDispose(tree);
  });

  it('convReluPool2d equals its three layers, and their gradients', async () => {
    const fused = convReluPool2d(2, 4, 3, { padding: 'same' });
    const apart = wrap(conv2d(2, 4, 3, { padding: 'same' }), { after: [relu(), maxPool2d(2)] });
    const tree = { p: fused.init(key(1)), x: normalTensor(2, [2, 6, 7, 2]) };
    await expectNoLeak(async () => {
      const [y, expected] = [fused.apply(tree.p, tree.x), apart.apply(tree.p, tree.x)];
      await expectClose(y, expected, 1e-5);
      tf.dispose([y, expected]);
      const gradient = (layer: typeof fused) =>
        valueAndGrad(({ p, x }: typeof tree) => tf.sum(tf.square(layer.apply(p, x))))(tree);
      const [[a, da], [b, db]] = [gradient(fused), gradient(apart)];
      for (const [i, leaf] of treeLeaves(da).entries()) await expectClose(leaf, treeLeaves(db)[i]!, 1e-5);
      treeDispose([a, da, b, db]);
    });
    treeDispose(tree);
  });

  it('makes no gradient of the data where only those of the parameters are asked for', async () => {
    const model = sequential([conv2d(1, 2, 3), relu(), conv2d(2, 2, 3), flatten(), dense(8, 1)]);
    const [params, x] = [model.init(key(1)), normalTensor(2, [3, 6, 6, 1])];
    const counts: Record<string, number> = {};
    const count: KernelHandler = {
      kernel(name, inputs, attrs, next) {
        counts[name] = (counts[name] ?? 0) + 1;
        return next(name, inputs, attrs);
      },
    };
    const grads = interpret(count, () => valueAndGrad((p: typeof params) => tf.sum(model.apply(p, x)))(params));
    expect(counts).toMatchObject({ Conv2DBackpropFilter: 2, Conv2DBackpropInput: 1 });
    treeDispose([params, x, grads]);
  });

  it('refuses other shapes and options by name', async () => {
    await expectNoLeak(() => {
      const params = conv2d(3, 4, 3).init(key(1));
      const x = tf.zeros([1, 5, 5, 2]);
      expect(() => conv2d(3, 4, 3).apply(params, x)).toThrow(/conv2d takes .*\[any, any, any, 3\], got \[1,5,5,2\]/);
      expect(() => conv2d(3, 4, 0)).toThrow(/kernelSize must be a positive integer/);
      expect(() => conv2d(3, 4, 3, { padding: -1 })).toThrow(/padding is 'valid', 'same' or a count/);
      treeDispose([params, x]);
    });
  });
});
