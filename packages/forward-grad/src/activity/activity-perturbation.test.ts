import { conv2d, embedding, mlp } from '@frugal/nn';
import {
  key,
  type LossFunction,
  type Module,
  randomIntegers,
  randomNormal,
  type Tree,
  treeDispose,
  treeMaterialize,
} from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { diagnose } from '../diagnostics/diagnose.ts';
import { weightPerturbation } from '../estimators/weight-perturbation.ts';
import { activityPerturbation } from './activity-perturbation.ts';

/** Half the squared output, summed over all but the examples. */
function lossOf(model: Module): LossFunction<Tree, tf.Tensor> {
  return (params, x) => {
    const out = model.apply(params, x);
    return tf.mul(0.5, tf.sum(tf.square(tf.reshape(out, [x.shape[0]!, -1])), 1)) as tf.Tensor1D;
  };
}

const scaled: Module<{ inner: Tree; scale: tf.Tensor; unused: { weight: tf.Tensor } }> = {
  init: (k) => ({ inner: mlp([5, 4]).init(k), scale: tf.ones([4]), unused: { weight: tf.ones([2, 2]) } }),
  apply: (params, x) => tf.mul(mlp([5, 4]).apply(params.inner as never, x), params.scale),
};

const models: [string, Module, () => tf.Tensor][] = [
  ['dense layers', mlp([5, 4, 3]) as Module, () => randomNormal(key(1), [6, 5])],
  [
    'a convolution',
    conv2d(2, 3, 3, { padding: 'same', strides: 2 }) as Module,
    () => randomNormal(key(1), [3, 5, 4, 2]),
  ],
  ['an embedding', embedding(7, 4) as Module, () => randomIntegers(key(1), [3, 2], { max: 7 })],
  [
    'a scale that is no layer, and a weight that is not used',
    scaled as unknown as Module,
    () => randomNormal(key(1), [6, 5]),
  ],
];

describeEachBackend('activity perturbation', () => {
  it.each(models)('has the gradient as its mean, with less variance than weights: %s', async (_, model, make) => {
    await expectNoLeak(async () => {
      const params = model.init(key(2));
      const x = make();
      const options = { key: key(4), trials: 250 };
      const seen = await diagnose(activityPerturbation(), lossOf(model), params, x, options);
      expect(seen.bias).toBeLessThan(1.8);
      expect(seen.cosineOfMean).toBeGreaterThan(0.9);
      const weights = await diagnose(weightPerturbation(), lossOf(model), params, x, { ...options, trials: 100 });
      expect(seen.variance).toBeLessThan(0.75 * weights.variance);
      treeDispose([params, x]);
    });
  });

  it('gives the same bits for the same key, and says what it cannot do', async () => {
    await expectNoLeak(async () => {
      const model = mlp([5, 4, 3]) as Module;
      const params = model.init(key(2));
      const x = randomNormal(key(1), [6, 5]);
      const take = (): Tree => {
        const { loss, grads } = activityPerturbation()(lossOf(model), params, x, key(4));
        loss.dispose();
        const dense = treeMaterialize(grads);
        treeDispose(grads);
        return dense;
      };
      const [a, b] = [take(), take()];
      expect(await bitsOf(a)).toEqual(await bitsOf(b));
      treeDispose([a, b]);

      const w = { w: tf.ones([5, 5]) };
      const twice = (p: typeof w, input: tf.Tensor) => tf.sum(tf.matMul(tf.matMul(input, p.w), p.w), 1) as tf.Tensor1D;
      expect(() => activityPerturbation()(twice, w, x, key(1))).toThrow(/'w' was used 2 times/);
      const other = (p: typeof w) => tf.sum(tf.square(p.w), 1) as tf.Tensor1D;
      expect(() => activityPerturbation()(other, w, x, key(1))).toThrow(/'w' is used otherwise than in a product/);
      treeDispose([w, params, x]);
    });
  });
});
