import { key, meter, treeDispose, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { conv2d } from './conv2d.ts';
import { dense } from './dense.ts';

describeEachBackend('fused layers', () => {
  it('do not calculate the gradient of the input of the first layer', async () => {
    await expectNoLeak(() => {
      const [layer, x] = [dense(16, 4), tf.ones([8, 16])];
      const params = layer.init(key(1));
      const { result, kernels } = meter(() => valueAndGrad((p: typeof params) => tf.sum(layer.apply(p, x)))(params));
      const products = kernels.filter(({ kernel }) => kernel.endsWith('MatMul'));
      // Forward and the weight's gradient.
      expect(products.reduce((sum, { flops }) => sum + flops!, 0)).toBe(2 * (2 * 8 * 16 * 4));
      treeDispose([params, x, ...result]);
    });
  });
});

describeEachBackend('dilated conv2d', () => {
  it('has a gradient', async () => {
    await expectNoLeak(() => {
      const layer = conv2d(2, 3, 3, { dilation: 2, padding: 'same' });
      const [params, x] = [layer.init(key(1)), tf.ones([1, 6, 6, 2])];
      const [value, grads] = valueAndGrad((p: typeof params) => tf.sum(layer.apply(p, x)))(params);
      expect(grads.weight.shape).toEqual([3, 3, 2, 3]);
      treeDispose([params, x, value, grads]);
    });
  });
});
