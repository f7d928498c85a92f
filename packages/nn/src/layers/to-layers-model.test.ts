import { createState, key, type Module, type Tree, treeDispose, treeLeaves } from '@frugal/tensor';
import { describeEachBackend, expectClose, normalTensor } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { activation, leakyRelu } from '../activations.ts';
import { batchNorm } from '../batch-norm.ts';
import { convTranspose2d } from '../conv-transpose2d.ts';
import { conv1d } from '../conv1d.ts';
import { conv2d } from '../conv2d.ts';
import { dense } from '../dense.ts';
import { depthwiseConv2d } from '../depthwise-conv2d.ts';
import { dropout } from '../dropout.ts';
import { embedding } from '../embedding.ts';
import { layerNorm } from '../layer-norm.ts';
import { gpt } from '../models/gpt.ts';
import { lenet5 } from '../models/lenet5.ts';
import { lenet300, mlp } from '../models/mlp.ts';
import { avgPool1d, avgPool2d, flatten, globalAvgPool, globalMaxPool, maxPool1d, maxPool2d } from '../pool.ts';
import { residual } from '../residual.ts';
import { sequential } from '../sequential.ts';
import { fromLayersModel } from './from-layers-model.ts';
import { toLayersModel } from './to-layers-model.ts';

const image = [6, 6, 2];
const cases: Record<string, { module: Module<Tree>; shape: number[]; ids?: boolean; kind?: string }> = {
  mlp: { module: mlp([8, 5, 3], { activation: 'gelu' }), shape: [2, 2, 2] },
  lenet300: { module: lenet300(), shape: [28, 28, 1] },
  lenet5: { module: lenet5(), shape: [28, 28, 1] },
  'convolutions and poolings': {
    module: sequential([
      conv2d(2, 3, 3, { padding: 1 }),
      leakyRelu(0.3),
      maxPool2d(2, { strides: 1 }),
      depthwiseConv2d(3, 3, { padding: 'same', multiplier: 2 }),
      avgPool2d(2, { padding: 'same' }),
      convTranspose2d(6, 2, 2, { strides: 2, bias: false }),
      globalAvgPool(),
    ]),
    shape: image,
  },
  'a sequence': {
    module: sequential({
      ids: embedding(5, 4),
      conv: conv1d(4, 6, 2),
      norm: layerNorm(6),
      max: maxPool1d(2),
      avg: avgPool1d(2, { strides: 1, padding: 'same' }),
      drop: dropout(0.3),
      pool: globalMaxPool(),
    }),
    shape: [7],
    ids: true,
  },
  'a residual net with batch norm': {
    module: sequential({
      conv: conv2d(2, 4, 3, { padding: 'same' }),
      block: residual(sequential({ norm: batchNorm(4), act: activation('silu'), conv: conv2d(4, 4, 1) })),
      down: residual(conv2d(4, 8, 3, { strides: 2, padding: 'same' }), { shortcut: conv2d(4, 8, 1, { strides: 2 }) }),
      flat: flatten(),
      fc: dense(72, 2),
    }),
    shape: image,
    kind: 'Functional',
  },
};

describeEachBackend('toLayersModel', (backend) => {
  for (const [name, { module, shape, ids, kind = 'Sequential' }] of Object.entries(cases)) {
    it(`${name} computes the same, and back again`, async () => {
      const [params, state] = [module.init(key(1)), createState()];
      const x = ids ? tf.tensor2d([1, 2, 3, 4, 0, 1, 2], [1, 7], 'int32') : normalTensor(2, [4, ...shape]);
      if (!ids) module.apply(params, x, { train: true, state, key: key(3) }).dispose();
      const expected = module.apply(params, x, { train: false, state });
      const model = await toLayersModel(module, params, {
        inputShape: shape,
        inputType: ids ? 'int32' : 'float32',
        state,
      });
      expect(model.getClassName()).toBe(kind === 'Functional' ? 'Model' : kind);
      const predicted = model.predict(x) as tf.Tensor;
      await expectClose(predicted, expected, 2e-5);
      const again = fromLayersModel(model);
      const y = again.apply(again.weights(), x);
      // TensorFlow adds up otherwise in a fused product than in a product and a sum.
      await expectClose(y, predicted, backend === 'tensorflow' ? 5e-6 : 1e-6);
      state.dispose();
      model.dispose();
      treeDispose([params, x, expected, predicted, y]);
    });
  }

  it('a model goes there and back without loss', async () => {
    const l = tfl.layers;
    const model = tfl.sequential({
      layers: [
        l.dense({ units: 3, inputShape: [4], activation: 'tanh' }),
        l.batchNormalization({ momentum: 0.7, epsilon: 1e-4 }),
        l.dropout({ rate: 0.2 }),
        l.dense({ units: 2, trainable: false }),
      ],
    });
    const wrapped = fromLayersModel(model);
    const x = normalTensor(1, [5, 4]);
    const [params, state] = [wrapped.init(key(2)), createState()];
    wrapped.apply(params, x, { train: true, key: key(3), state }).dispose();
    const expected = wrapped.apply(params, x, { train: false, state });
    const copy = await toLayersModel(wrapped, params, { state });
    expect(copy.toJSON(undefined, false)).toEqual(model.toJSON(undefined, false));
    const [predicted, back] = [copy.predict(x) as tf.Tensor, fromLayersModel(copy as tfl.Sequential)];
    await expectClose(predicted, expected, 1e-6);
    expect(Object.keys(back.weights())).toEqual(Object.keys(wrapped.weights()));
    for (const [i, leaf] of treeLeaves(back.weights()).entries()) await expectClose(leaf, treeLeaves(params)[i]!, 0);
    for (const [path, value] of state.entries()) await expectClose(back.statistics()[path]!, value, 0);
    // A second copy, of the weights that the model has now, equals the model.
    const twin = await toLayersModel(wrapped, wrapped.weights());
    for (const [i, weight] of twin.getWeights().entries()) await expectClose(weight, model.getWeights()[i]!, 0);
    state.dispose();
    treeDispose([params, x, expected, predicted]);
  });

  it('names what has no counterpart', async () => {
    const model = gpt({ vocabulary: 3, dim: 4, depth: 1, heads: 1 });
    const params = model.init(key(1));
    await expect(toLayersModel(model, params, { inputShape: [4] })).rejects.toThrow(/does not say what it is/);
    await expect(toLayersModel(mlp([2, 2]), [] as never)).rejects.toThrow(/pass 'inputShape'/);
    const causal = sequential({ body: conv1d(1, 1, 2, { padding: 'causal' }) });
    const weights = causal.init(key(1));
    await expect(toLayersModel(causal, weights, { inputShape: [4, 1] })).rejects.toThrow(
      /conv1d with padding causal at 'body' has no counterpart/,
    );
    treeDispose([params, weights]);
  });
});
