import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { TreeMismatchError, treeDispose } from '../tree/index.ts';
import { vjp } from './vjp.ts';

describeEachBackend('vjp', () => {
  it('pulls cotangents of several outputs back, as often as wanted', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2, 3]);
      const p = { scale: tf.scalar(2) };
      const f = (q: typeof p, z: tf.Tensor) => ({ y: tf.mul(q.scale, tf.square(z)), s: tf.sum(z) });
      const [out, pullback] = vjp(f, [p, x]);
      await expectClose(out.y, [2, 8, 18]);
      const cotangents = [
        { y: tf.tensor1d([1, 0, 0]), s: tf.scalar(0) },
        { y: tf.tensor1d([0, 1, 1]), s: tf.scalar(10) },
      ];
      const first = pullback(cotangents[0] as never);
      const second = pullback(cotangents[1] as never);
      await expectClose(first[0].scale, [1]);
      await expectClose(first[1], [4, 0, 0]);
      await expectClose(second[0].scale, [13]);
      await expectClose(second[1], [10, 18, 22]);
      treeDispose([out, first as never, second as never, cotangents]);
      pullback.dispose();
      pullback.dispose();
      expect(() => pullback(out)).toThrow(/disposed/);
      treeDispose({ x, p });
    });
  });

  it('survives the disposal of its output, and outputs that are inputs', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2]);
      const [out, pullback] = vjp((z: tf.Tensor) => [z, tf.exp(z), z], [x]);
      treeDispose(out);
      const ones = tf.ones([2]);
      const [dx] = pullback([ones, ones, ones]);
      await expectClose(dx, [2 + Math.E, 2 + Math.E ** 2]);
      pullback.dispose();
      tf.dispose([x, dx, ones]);
    });
  });

  it('lets several be open at once', async () => {
    await expectNoLeak(async () => {
      const x = tf.scalar(2);
      const one = tf.scalar(1);
      const [y, back] = vjp((z: tf.Tensor) => tf.square(z), [x]);
      const [u, back2] = vjp((z: tf.Tensor) => tf.exp(z), [y]);
      const [dy] = back2(one);
      const [dx] = back(dy);
      await expectClose(dx, [4 * Math.exp(4)]);
      back.dispose();
      back2.dispose();
      tf.dispose([x, one, y, u, dy, dx]);
    });
  });

  it('says what does not fit', async () => {
    await expectNoLeak(() => {
      const x = tf.tensor1d([1, 2]);
      const [out, pullback] = vjp((z: tf.Tensor) => ({ y: tf.square(z) }), [x]);
      const wrong = tf.ones([3]);
      expect(() => pullback({ y: wrong })).toThrow(/'y'.*float32 \[2\].*got float32 \[3\]/);
      expect(() => pullback({ z: wrong } as never)).toThrow(TreeMismatchError);
      pullback.dispose();
      const nested = (z: tf.Tensor) => {
        vjp((u: tf.Tensor) => tf.square(u), [z]);
        return tf.sum(z);
      };
      expect(() => vjp(nested, [x])).toThrow(/valueAndGrad here/);
      treeDispose([out, x, wrong]);
    });
  });
});
