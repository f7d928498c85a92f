import { key, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { embedding } from './embedding.ts';

describeEachBackend('embedding', () => {
  it('takes rows by id', async () => {
    await expectNoLeak(async () => {
      const params = { weight: tf.tensor2d([0, 1, 10, 11, 20, 21], [3, 2]) };
      const ids = tf.tensor2d([2, 0, 1, 1], [2, 2], 'int32');
      const y = embedding(3, 2).apply(params, ids);
      expect(y.shape).toEqual([2, 2, 2]);
      await expectClose(y, [20, 21, 0, 1, 10, 11, 10, 11], 0);
      treeDispose([params, ids, y]);
    });
  });

  it('adds up the gradients of repeated ids', async () => {
    await expectNoLeak(async () => {
      const weight = tf.ones([3, 2]) as tf.Tensor2D;
      const ids = tf.tensor1d([1, 1, 0], 'int32');
      const d = tf.grad((w) => embedding(3, 2).apply({ weight: w as tf.Tensor2D }, ids))(weight);
      await expectClose(d, [1, 1, 2, 2, 0, 0], 0);
      treeDispose([weight, ids, d]);
    });
  });

  it('is standard normal by default, and refuses ids that are not integers', async () => {
    await expectNoLeak(async () => {
      const layer = embedding(100, 50);
      const params = layer.init(key(1));
      const std = tf.tidy(() => tf.sqrt(tf.mean(tf.square(params.weight))));
      expect((await std.data())[0]).toBeCloseTo(1, 1);
      const ids = tf.tensor1d([1, 2]);
      expect(() => layer.apply(params, ids)).toThrow(/ids of dtype int32, got float32/);
      treeDispose([params, std, ids]);
    });
  });
});
