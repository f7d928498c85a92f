import * as nn from '@frugal/nn';
import {
  type Context,
  hvp,
  jvp,
  jvpMany,
  key,
  meter,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMap,
  valueAndGrad,
} from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { draw } from './nets.ts';

/** ⟨gradient, v⟩ and the JVP of a scalar, relative to the sizes of the terms. */
async function disagreement(
  slope: tf.Tensor,
  gradients: readonly tf.Tensor[],
  v: readonly tf.Tensor[],
): Promise<number> {
  let [sum, scale] = [0, 1e-3];
  for (const [i, gradient] of gradients.entries()) {
    const [g, t] = [await gradient.data(), await v[i]!.data()];
    for (const [j, x] of g.entries()) {
      sum += x * t[j]!;
      scale += Math.abs(x * t[j]!);
    }
  }
  return Math.abs(sum - (await slope.data())[0]!) / scale;
}

const randomLike = <T extends Tree>(tree: T, seed: number): T => {
  let i = seed;
  return treeMap((leaf) => draw(leaf.shape, i++), tree) as T;
};

const models = {
  mlp: { module: nn.mlp([6, 8, 8, 3], { activation: 'tanh' }), input: () => draw([4, 6], 3) },
  lenet5: {
    module: nn.lenet5({ input: [12, 12, 1], channels: [2, 3], hidden: [8, 6], padding: ['same', 'same'] }),
    input: () => draw([2, 12, 12, 1], 3),
  },
  vit: {
    module: nn.vit({ input: [8, 8, 1], patch: 4, dim: 8, depth: 1, heads: 2, classes: 3, pool: 'cls' }),
    input: () => draw([2, 8, 8, 1], 3),
  },
  resnet: { module: nn.resnet({ depth: 8, width: 2, norm: 'group' }), input: () => draw([2, 8, 8, 3], 3) },
  gpt: {
    module: nn.gpt({ vocabulary: 11, context: 6, dim: 8, depth: 1, heads: 2 }),
    input: () => tf.tensor2d([1, 3, 5, 7, 9, 2, 4, 6, 8, 10, 0, 1], [2, 6], 'int32'),
  },
};

/** Models of tfjs-layers, with what they take. */
const layersModels: Record<string, () => { model: layers.LayersModel; x: tf.Tensor; training?: boolean }> = {
  Dense: () => ({
    model: layers.sequential({
      layers: [
        layers.layers.dense({ inputShape: [5], units: 7, activation: 'relu' }),
        layers.layers.dense({ units: 3, activation: 'softmax' }),
      ],
    }),
    x: draw([4, 5], 1),
  }),
  'Conv, max-pool': () => ({
    model: layers.sequential({
      layers: [
        layers.layers.conv2d({ inputShape: [6, 6, 2], filters: 3, kernelSize: 3, activation: 'tanh' }),
        layers.layers.maxPooling2d({ poolSize: 2 }),
        layers.layers.flatten(),
        layers.layers.dense({ units: 2 }),
      ],
    }),
    x: draw([2, 6, 6, 2], 1),
  }),
  SeparableConv: () => ({
    model: layers.sequential({
      layers: [layers.layers.separableConv2d({ inputShape: [5, 5, 2], filters: 3, kernelSize: 3 })],
    }),
    x: draw([2, 5, 5, 2], 1),
  }),
  'BatchNorm, inference': () => ({
    model: layers.sequential({
      layers: [
        layers.layers.dense({ inputShape: [5], units: 4 }),
        layers.layers.batchNormalization(),
        layers.layers.activation({ activation: 'sigmoid' }),
      ],
    }),
    x: draw([4, 5], 1),
  }),
  'BatchNorm, training': () => ({
    model: layers.sequential({
      layers: [layers.layers.dense({ inputShape: [5], units: 4 }), layers.layers.batchNormalization()],
    }),
    x: draw([4, 5], 1),
    training: true,
  }),
  LSTM: () => ({
    model: layers.sequential({
      layers: [layers.layers.lstm({ inputShape: [3, 4], units: 5, recurrentInitializer: 'glorotNormal' })],
    }),
    x: draw([2, 3, 4], 1),
  }),
  GRU: () => ({
    model: layers.sequential({
      layers: [layers.layers.gru({ inputShape: [3, 4], units: 5, recurrentInitializer: 'glorotNormal' })],
    }),
    x: draw([2, 3, 4], 1),
  }),
  'Embedding, LayerNorm': () => ({
    model: layers.sequential({
      layers: [
        layers.layers.embedding({ inputDim: 9, outputDim: 4, inputLength: 3 }),
        layers.layers.layerNormalization(),
        layers.layers.globalAveragePooling1d(),
      ],
    }),
    x: tf.tensor2d([1, 8, 0, 3, 3, 5], [2, 3], 'int32'),
  }),
  Attention: () => {
    const input = layers.input({ shape: [4, 6] });
    const dense = (units: number): layers.SymbolicTensor =>
      layers.layers.dense({ units }).apply(input) as layers.SymbolicTensor;
    const scores = layers.layers.dot({ axes: [2, 2] }).apply([dense(5), dense(5)]) as layers.SymbolicTensor;
    const weights = layers.layers.activation({ activation: 'softmax' }).apply(scores) as layers.SymbolicTensor;
    const mixed = layers.layers.dot({ axes: [2, 1] }).apply([weights, dense(3)]) as layers.SymbolicTensor;
    return { model: layers.model({ inputs: input, outputs: mixed }), x: draw([2, 4, 6], 1) };
  },
};

describeEachBackend('forward mode through models', () => {
  it.each(Object.entries(models))('%s: the JVP is the gradient along the direction', async (_, { module, input }) => {
    await expectNoLeak(async () => {
      const x = input();
      const params = module.init(key(1)) as Tree;
      const v = randomLike(params, 50);
      const ctx: Context = { train: false };
      const loss = (p: Tree): tf.Tensor =>
        tf.mean(tf.square((module.apply as (p: Tree, x: tf.Tensor, ctx: Context) => tf.Tensor)(p, x, ctx)));
      const [value, grads] = valueAndGrad(loss)(params);
      const [out, slope] = jvp(loss, [params], [v]);
      expect(await disagreement(slope, treeLeaves(grads) as tf.Tensor[], treeLeaves(v) as tf.Tensor[])).toBeLessThan(
        3e-6,
      );
      const stacked = treeMap((a) => tf.tidy(() => tf.stack([a, tf.mul(a, -2)])), v);
      const [again, slopes] = jvpMany(loss, [params], [stacked]);
      const [one, two] = await slopes.data();
      const [expected] = await slope.data();
      expect(Math.abs(one! - expected!)).toBeLessThan(1e-5 * (1 + Math.abs(expected!)));
      expect(Math.abs(two! + 2 * expected!)).toBeLessThan(1e-5 * (1 + Math.abs(expected!)));
      treeDispose([x, params, v, value, grads, out, slope, stacked, again, slopes]);
    });
  });

  it.each(Object.entries(layersModels))('tfjs-layers, %s: unchanged', async (_, make) => {
    await expectNoLeak(async () => {
      const { model, x, training = false } = make();
      const weights = model.trainableWeights.map((w) => w.read() as tf.Variable);
      const v = weights.map((w, i) => draw(w.shape, 70 + i));
      const loss = (): tf.Scalar => tf.mean(tf.square(model.apply(x, { training }) as tf.Tensor)) as tf.Scalar;
      const { value, grads } = tf.variableGrads(loss, weights);
      const [out, slope] = jvp((..._: tf.Tensor[]) => loss(), weights, v);
      const gradients = weights.map((w) => grads[w.name]!);
      expect(await disagreement(slope, gradients, v)).toBeLessThan(3e-6);
      treeDispose([v, value, Object.values(grads), out, slope]);
      model.dispose();
      x.dispose();
    });
  });

  it('a Hessian-vector product costs less than three gradients', async () => {
    await expectNoLeak(() => {
      const module = nn.mlp([32, 64, 64, 10], { activation: 'tanh' });
      const [params, x] = [module.init(key(1)) as Tree, draw([16, 32], 2)];
      const v = randomLike(params, 5);
      const loss = (p: Tree): tf.Tensor => tf.mean(tf.square(module.apply(p as never, x)));
      const flops = (run: () => Tree): number => meter(() => treeDispose(run())).flops;
      const gradient = flops(() => valueAndGrad(loss)(params));
      const product = flops(() => hvp(loss, params, v));
      const forward = flops(() => tf.tidy(() => loss(params)));
      const along = flops(() => jvp(loss, [params], [v]));
      expect(product / gradient).toBeLessThan(3);
      expect(along / forward).toBeLessThan(3.1);
      treeDispose([params, x, v]);
    });
  });
});
