import {
  createState,
  key,
  treeClone,
  treeDispose,
  treeEntries,
  treeLeaves,
  treeMap,
  treeSize,
  valueAndGrad,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak, normalTensor } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { fromLayersModel, type LayersModule } from './from-layers-model.ts';

const l = tfl.layers;
const recurrentInitializer = 'glorotNormal';

const convNet = () =>
  tfl.sequential({
    layers: [
      l.conv2d({ filters: 3, kernelSize: 3, inputShape: [6, 6, 2], useBias: false }),
      l.batchNormalization({ momentum: 0.9 }),
      l.activation({ activation: 'relu' }),
      l.maxPooling2d({ poolSize: 2 }),
      l.flatten(),
      l.dropout({ rate: 0.5 }),
      l.dense({ units: 2, activation: 'softmax' }),
    ],
  });

function branching(): tfl.LayersModel {
  const input = tfl.input({ shape: [4] });
  const inner = tfl.sequential({ layers: [l.dense({ units: 4, activation: 'tanh', inputShape: [4] })], name: 'inner' });
  const h = l.add().apply([input, inner.apply(input) as tfl.SymbolicTensor]);
  const shared = l.dense({ units: 3, name: 'shared' });
  const twice = [shared.apply(input), shared.apply(h)] as tfl.SymbolicTensor[];
  return tfl.model({ inputs: input, outputs: l.concatenate().apply(twice) as tfl.SymbolicTensor });
}

const models: Record<string, { make: () => tfl.LayersModel; input: () => tf.Tensor }> = {
  'a convolutional net': { make: convNet, input: () => normalTensor(1, [3, 6, 6, 2]) },
  'a net with branches, a nested model and a shared layer': { make: branching, input: () => normalTensor(1, [3, 4]) },
  'a bidirectional LSTM over masked embeddings': {
    make: () =>
      tfl.sequential({
        layers: [
          l.embedding({ inputDim: 5, outputDim: 3, inputLength: 4, maskZero: true }),
          l.bidirectional({ layer: l.lstm({ units: 2, recurrentInitializer }) as tfl.RNN, mergeMode: 'concat' }),
          l.dense({ units: 1 }),
        ],
      }),
    input: () => tf.tensor2d([1, 2, 3, 0, 4, 1, 0, 0], [2, 4], 'int32'),
  },
};

const module = (model: tfl.LayersModel): LayersModule => fromLayersModel(model, { staged: false });

describeEachBackend('fromLayersModel', () => {
  for (const [name, { make, input }] of Object.entries(models)) {
    it(`${name} computes what the model computes, with its weights and with others`, async () => {
      const model = make();
      const [wrapped, x] = [module(model), input()];
      await expectNoLeak(async () => {
        const expected = model.predict(x) as tf.Tensor;
        const y = wrapped.apply(wrapped.weights(), x);
        await expectClose(y, expected, 1e-6);

        const params = wrapped.init(key(3));
        const other = wrapped.apply(params, x);
        const unchanged = model.predict(x) as tf.Tensor;
        await expectClose(unchanged, expected, 0);
        wrapped.assign(params);
        const assigned = model.predict(x) as tf.Tensor;
        await expectClose(other, assigned, 1e-6);
        expect(Array.from(await other.data())).not.toEqual(Array.from(await y.data()));
        tf.dispose([expected, y, other, unchanged, assigned]);
        treeDispose(params);
      });
      model.dispose();
      x.dispose();
    });
  }

  it('has the gradients that tfjs finds for the model', async () => {
    const model = branching();
    const [wrapped, x] = [module(model), normalTensor(1, [3, 4])];
    await expectNoLeak(async () => {
      const params = treeClone(wrapped.weights());
      const loss = (y: tf.Tensor) => tf.mean(tf.square(y)) as tf.Scalar;
      const [value, grads] = valueAndGrad((p: typeof params) =>
        loss(wrapped.apply(p, x, { train: true, key: key(1) })),
      )(params);
      const expected = tf.variableGrads(() => loss(model.apply(x, { training: true }) as tf.Tensor));
      await expectClose(value, await expected.value.data(), 1e-6);
      expect(treeEntries(grads).map(([path]) => path.replace('inner.', ''))).toEqual([
        expect.stringMatching(/^dense_Dense\d+\.kernel$/),
        expect.stringMatching(/^dense_Dense\d+\.bias$/),
        'shared.kernel',
        'shared.bias',
      ]);
      const named = Object.values(expected.grads);
      for (const [i, leaf] of treeLeaves(grads).entries()) await expectClose(leaf, named[i]!, 1e-6);
      treeDispose([params, value, grads, expected.value, expected.grads]);
    });
    model.dispose();
    x.dispose();
  });

  it('moves statistics in the state as tfjs does in the model, and never in the model', async () => {
    const make = () => {
      const model = tfl.sequential({ layers: [l.batchNormalization({ inputShape: [3], momentum: 0.8, name: 'bn' })] });
      model.layers[0]!.setWeights([
        tf.tensor1d([1, 2, 3]),
        tf.tensor1d([0, 1, 0]),
        tf.tensor1d([5, 0, 0]),
        tf.ones([3]),
      ]);
      return model;
    };
    const [model, twin, x] = [make(), make(), normalTensor(1, [4, 3])];
    const wrapped = fromLayersModel(model);
    const state = createState();
    const ctx = { train: true, state, path: 'net' };
    const y = wrapped.apply(wrapped.weights(), x, ctx);
    const expected = twin.apply(x, { training: true }) as tf.Tensor;
    await expectClose(y, expected, 1e-5);
    const [, , mean, variance] = twin.getWeights() as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    expect(state.entries().map(([path]) => path)).toEqual(['net.bn.moving_mean', 'net.bn.moving_variance']);
    await expectClose(state.get('net.bn.moving_mean')!, mean, 1e-5);
    await expectClose(state.get('net.bn.moving_variance')!, variance, 1e-5);
    await expectClose(wrapped.statistics()['bn.moving_mean']!, [5, 0, 0], 0);
    const evaluated = wrapped.apply(wrapped.weights(), x, { ...ctx, train: false });
    const reference = twin.predict(x) as tf.Tensor;
    await expectClose(evaluated, reference, 1e-5);
    // Without a state the model's own statistics hold.
    const own = wrapped.apply(wrapped.weights(), x);
    const before = model.predict(x) as tf.Tensor;
    await expectClose(own, before, 1e-5);
    wrapped.assign(wrapped.weights(), { 'bn.moving_mean': state.get('net.bn.moving_mean')! });
    await expectClose(wrapped.statistics()['bn.moving_mean']!, mean, 1e-5);
    state.dispose();
    tf.dispose([x, y, expected, evaluated, reference, own, before]);
  });

  it('normalizes over other axes, and without scale or offset', async () => {
    const model = tfl.sequential({
      layers: [l.batchNormalization({ axis: 1, scale: true, center: true, inputShape: [3, 2] })],
    });
    const bare = tfl.sequential({ layers: [l.batchNormalization({ scale: false, center: false, inputShape: [2] })] });
    const [x, flat] = [normalTensor(1, [4, 3, 2]), normalTensor(2, [5, 2])];
    const [wrapped, plain] = [fromLayersModel(model), fromLayersModel(bare)];
    const [y, expected] = [wrapped.apply(wrapped.weights(), x), model.predict(x) as tf.Tensor];
    await expectClose(y, expected, 1e-5);
    // tfjs itself throws here.
    const z = plain.apply(plain.weights(), flat, { train: true });
    const means = tf.mean(z, 0);
    await expectClose(means, [0, 0], 1e-5);
    tf.dispose([x, flat, y, expected, z, means]);
  });

  it('draws dropout and noise from the key, also inside of recurrent cells and wrappers', async () => {
    const layers: Record<string, () => tfl.layers.Layer> = {
      dropout: () => l.dropout({ rate: 0.5, inputShape: [6, 8] }),
      spatial: () => l.spatialDropout1d({ rate: 0.5, inputShape: [6, 8] }),
      noise: () => l.gaussianNoise({ stddev: 0.3, inputShape: [6, 8] }),
      gaussian: () => l.gaussianDropout({ rate: 0.3, inputShape: [6, 8] }),
      alpha: () => l.alphaDropout({ rate: 0.3, inputShape: [6, 8] }),
      lstm: () => l.lstm({ units: 8, dropout: 0.4, recurrentDropout: 0.4, recurrentInitializer, inputShape: [6, 8] }),
      wrapped: () => l.timeDistributed({ layer: l.dropout({ rate: 0.5 }), inputShape: [6, 8] }),
    };
    for (const [name, make] of Object.entries(layers)) {
      const model = tfl.sequential({ layers: [make()] });
      const [wrapped, x] = [fromLayersModel(model), normalTensor(1, [4, 6, 8])];
      const at = (seed: number) => wrapped.apply(wrapped.weights(), x, { train: true, key: key(seed) });
      at(1).dispose();
      await expectNoLeak(async () => {
        const [a, b, c, still] = [at(1), at(1), at(2), wrapped.apply(wrapped.weights(), x)];
        await expectClose(a, b, 0);
        expect(Array.from(await c.data()), name).not.toEqual(Array.from(await a.data()));
        expect(Array.from(await still.data()), name).not.toEqual(Array.from(await a.data()));
        expect(() => wrapped.apply(wrapped.weights(), x, { train: true }), name).toThrow(/needs randomness/);
        tf.dispose([a, b, c, still]);
      });
      x.dispose();
    }
  });

  it('keeps mean and spread under noise', async () => {
    const x = tf.tidy(() => tf.add(tf.mul(normalTensor(1, [200, 100]), 0.5), 0));
    for (const [name, layer, spread] of [
      ['gaussian', l.gaussianDropout({ rate: 0.2, inputShape: [100] }), Math.sqrt(0.25 * 1.25)],
      ['noise', l.gaussianNoise({ stddev: 0.3, inputShape: [100] }), Math.sqrt(0.25 + 0.09)],
      ['dropout', l.dropout({ rate: 0.2, inputShape: [100] }), Math.sqrt(0.25 / 0.8)],
    ] as const) {
      const wrapped = fromLayersModel(tfl.sequential({ layers: [layer] }));
      const y = wrapped.apply({}, x, { train: true, key: key(1) });
      const [mean, sd] = tf.tidy(() => [tf.mean(y), tf.sqrt(tf.mean(tf.square(y)))]);
      expect((await mean!.data())[0], name).toBeCloseTo(0, 1.5);
      expect((await sd!.data())[0], name).toBeCloseTo(spread, 1.7);
      tf.dispose([y, mean!, sd!]);
    }
    x.dispose();
  });

  it('is staged by layers, if sequential', async () => {
    const model = convNet();
    const wrapped = fromLayersModel(model);
    const [params, x] = [treeClone(wrapped.weights()), normalTensor(1, [3, 6, 6, 2])];
    await expectNoLeak(async () => {
      expect(wrapped.stages.map(({ name }) => name.replace(/_.*/, ''))).toEqual([
        'conv2d',
        'batch',
        'activation',
        'max',
        'flatten',
        'dropout',
        'dense',
      ]);
      const [one, two] = [createState(), createState()];
      const whole = wrapped.apply(params, x, { train: true, key: key(2), state: one });
      const ctx = { train: true, key: key(2), state: two };
      const folded = tf.tidy(() => wrapped.stages.reduce((h, stage) => stage.apply(params, h, ctx), x));
      const atOnce = module(model).apply(params, x, { train: true, key: key(2) });
      await expectClose(folded, whole, 0);
      await expectClose(atOnce, whole, 0);
      expect(two.entries().map(([path]) => path)).toEqual(one.entries().map(([path]) => path));
      expect(wrapped.stages.flatMap((stage) => treeLeaves(stage.params(params))).length).toBe(5);
      one.dispose();
      two.dispose();
      tf.dispose([whole, folded, atOnce]);
    });
    model.dispose();
    treeDispose([params, x]);
  });

  it('leaves frozen weights with the model', async () => {
    const model = tfl.sequential({
      layers: [l.dense({ units: 2, inputShape: [2], trainable: false }), l.dense({ units: 1, name: 'head' })],
    });
    const wrapped = fromLayersModel(model);
    expect(treeEntries(wrapped.weights()).map(([path]) => path)).toEqual(['head.kernel', 'head.bias']);
    const x = normalTensor(1, [2, 2]);
    const [y, expected] = [wrapped.apply(wrapped.weights(), x), model.predict(x) as tf.Tensor];
    await expectClose(y, expected, 1e-6);
    tf.dispose([x, y, expected]);
    model.dispose();
  });

  it('draws new weights by key as the layers would', async () => {
    const model = tfl.sequential({
      layers: [
        l.dense({
          units: 60,
          inputShape: [40],
          kernelInitializer: 'heNormal',
          biasInitializer: 'ones',
          name: 'normal',
        }),
        l.dense({ units: 60, kernelInitializer: 'leCunUniform', name: 'uniform' }),
        l.reshape({ targetShape: [6, 10] }),
        l.lstm({ units: 10, recurrentInitializer, unitForgetBias: true, name: 'lstm' }),
      ],
    });
    const wrapped = fromLayersModel(model);
    await expectNoLeak(async () => {
      const [a, b, c] = [wrapped.init(key(1)), wrapped.init(key(1)), wrapped.init(key(2))];
      expect(treeSize(a)).toBe(model.countParams());
      for (const [i, leaf] of treeLeaves(b).entries()) await expectClose(leaf, treeLeaves(a)[i]!, 0);
      const at = (tree: unknown, layer: string, name: string) =>
        (tree as Record<string, Record<string, tf.Tensor>>)[layer]![name]!.data();
      expect(Array.from(await at(a, 'normal', 'kernel'))).not.toEqual(Array.from(await at(c, 'normal', 'kernel')));
      await expectClose(await at(a, 'normal', 'bias'), new Float32Array(60).fill(1), 0);
      const largest = (values: ArrayLike<number>) => Math.max(...Array.from(values, Math.abs));
      // He's sd is √(2/40), cut off at two of them; LeCun's limit √(3/60).
      const he = largest(await at(a, 'normal', 'kernel')) / Math.sqrt(2 / 40);
      expect(he).toBeGreaterThan(1.9);
      expect(he).toBeLessThanOrEqual(2.0001);
      const lecun = largest(await at(a, 'uniform', 'kernel')) / Math.sqrt(3 / 60);
      expect(lecun).toBeGreaterThan(0.99);
      expect(lecun).toBeLessThanOrEqual(1.0001);
      const bias = Array.from(await at(a, 'lstm', 'bias'));
      expect(bias).toEqual([...Array(10).fill(0), ...Array(10).fill(1), ...Array(20).fill(0)]);
      treeDispose([a, b, c]);
    });
    model.dispose();
  });

  it('says what is wrong with models and parameters', async () => {
    expect(() => fromLayersModel(tfl.sequential({ layers: [] }))).toThrow(/has no weights yet/);
    const stateful = tfl.sequential({
      layers: [l.simpleRNN({ units: 2, stateful: true, recurrentInitializer, batchInputShape: [1, 3, 2] })],
    });
    expect(() => fromLayersModel(stateful)).toThrow(/is stateful/);
    expect(() =>
      fromLayersModel(models['a bidirectional LSTM over masked embeddings']!.make() as tfl.Sequential),
    ).toThrow(/masks what follows.*staged: false/);
    const model = tfl.sequential({ layers: [l.dense({ units: 2, inputShape: [2], name: 'd' })] });
    const wrapped = fromLayersModel(model);
    const x = tf.zeros([1, 2]);
    expect(() => wrapped.apply({}, x)).toThrow(/lack 'd\.kernel'/);
    const wrong = treeMap(() => tf.zeros([1]), wrapped.weights());
    expect(() => wrapped.apply(wrong, x)).toThrow(/'d\.kernel' must have shape \[2,2\], got \[1\]/);
    const y = wrapped.apply(wrapped.weights(), x);
    treeDispose([x, wrong, y]);
  });
});
