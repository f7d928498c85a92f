import { key } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { backprop } from './backprop.ts';

type Batch = { x: tf.Tensor2D; y: tf.Tensor1D };

const squared = (p: { w: tf.Tensor1D }, { x, y }: Batch): tf.Tensor1D =>
  tf.square(tf.sub(tf.dot(x, p.w) as tf.Tensor1D, y));

describeEachBackend('backprop', () => {
  it('gives the gradient of the mean loss in closed form', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.tensor1d([1, -1]) };
      const batch: Batch = { x: tf.tensor2d([1, 2, 3, 4], [2, 2]), y: tf.tensor1d([0, 2]) };
      const { loss, grads } = backprop()(squared, params, batch, key(0));
      // Residuals r = xw − y = [−1, −3]; loss = mean r², gradient = 2/B · xᵀr.
      await expectClose(loss, [5]);
      await expectClose((grads as typeof params).w, [-10, -14]);
      tf.dispose([params, batch, loss, grads] as tf.TensorContainer);
    });
  });

  it('hands the key and the context to the loss', () => {
    const params = { w: tf.tensor1d([1]) };
    const seen: unknown[] = [];
    const state = { get: () => undefined, set: () => undefined };
    const estimate = backprop()(
      (p: typeof params, _batch: null, ctx) => {
        seen.push(ctx);
        return tf.square(p.w);
      },
      params,
      null,
      key(7),
      { train: true, state, path: 'model' },
    );
    expect(seen).toEqual([{ train: true, state, path: 'model', key: key(7) }]);
    tf.dispose([params.w, estimate.loss, estimate.grads] as tf.TensorContainer);
  });
});
