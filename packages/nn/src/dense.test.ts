import { key, meter, treeDispose, valueAndGrad } from '@frugal/tensor';
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
import { dense } from './dense.ts';
import { zeros } from './initializers.ts';

describeEachBackend('dense', () => {
  it('equals a tfjs layer with the same weights', async () => {
    await expectNoLeak(async () => {
      const layer = dense(5, 3);
      const params = layer.init(key(1));
      const x = normalTensor(2, [4, 5]);
      const y = layer.apply(params, x);
      const expected = layerOutput(tfl.layers.dense({ units: 3 }), x, [params.weight, params.bias]);
      await expectClose(y, expected, 1e-6);
      tf.dispose([x, y, expected]);
      treeDispose(params);
    });
  });

  it('runs over the last axis of any rank, without bias too', async () => {
    await expectNoLeak(async () => {
      const layer = dense(2, 3, { bias: false });
      const params = { weight: tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]) };
      const x = tf.tensor3d([1, 0, 0, 1, 1, 1, 2, -1], [2, 2, 2]);
      const y = layer.apply(params, x);
      expect(y.shape).toEqual([2, 2, 3]);
      await expectClose(y, [1, 2, 3, 4, 5, 6, 5, 7, 9, -2, -1, 0]);
      const vector = tf.tidy(() => layer.apply(params, tf.tensor1d([1, 1])));
      expect(vector.shape).toEqual([3]);
      tf.dispose([x, y, vector, params.weight]);
    });
  });

  it('has the right gradients', async () => {
    const layer = dense(4, 3);
    const params = { ...layer.init(key(3)), x: normalTensor(4, [2, 3, 4]) };
    await expectNoLeak(() => expectGradient((p) => layer.apply(p, p.x), params));
    treeDispose(params);
  });

  it('makes no gradient of the data where only those of the parameters are asked for', async () => {
    await expectNoLeak(() => {
      const [layer, x] = [dense(16, 4), tf.ones([8, 16])];
      const params = layer.init(key(1));
      const { result, kernels } = meter(() => valueAndGrad((p: typeof params) => tf.sum(layer.apply(p, x)))(params));
      const products = kernels.filter(({ kernel }) => kernel.endsWith('MatMul'));
      // Forward (where a bias is fused, its addition too) and the weight's gradient.
      const flops = products.reduce((sum, { flops }) => sum + flops!, 0);
      expect([2 * (2 * 8 * 16 * 4), 2 * (2 * 8 * 16 * 4) + 8 * 4]).toContain(flops);
      treeDispose([params, x, ...result]);
    });
  });

  it('initialises by key', async () => {
    await expectNoLeak(async () => {
      const layer = dense(100, 50);
      const [a, b, c] = [layer.init(key(5)), layer.init(key(5)), layer.init(key(6))];
      await expectClose(a.weight, await b.weight.data(), 0);
      const difference = tf.tidy(() => tf.max(tf.abs(tf.sub(a.weight, c.weight))));
      expect((await difference.data())[0]).toBeGreaterThan(0.1);
      expect((await a.bias.data()).every((v) => v === 0)).toBe(true);
      treeDispose([a, b, c, difference]);
    });
  });

  it('says what is wrong with an input', async () => {
    await expectNoLeak(() => {
      const layer = dense(4, 3, { weightInit: zeros() });
      const params = layer.init(key(1));
      const x = tf.zeros([2, 5]);
      expect(() => layer.apply(params, x, { train: false, path: 'blocks.0.fc1' })).toThrow(
        /dense at 'blocks\.0\.fc1' takes .*\[…, 4\], got \[2,5\]/,
      );
      expect(() => dense(0, 3)).toThrow(/inFeatures must be a positive integer, got 0/);
      treeDispose([params, x]);
    });
  });
});
