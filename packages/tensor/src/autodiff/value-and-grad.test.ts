import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { treeDispose } from '../tree/index.ts';
import { valueAndGrad } from './value-and-grad.ts';

const params = () => ({
  layers: [
    { w: tf.tensor2d([0.1, -0.2, 0.3, 0.4, -0.5, 0.6], [2, 3]), b: tf.tensor1d([0.1, 0.2, 0.3]) },
    { w: tf.tensor2d([0.7, -0.8, 0.9], [3, 1]), b: tf.tensor1d([0.5]) },
  ],
  unused: tf.tensor1d([1, 2]),
});
type Params = ReturnType<typeof params>;

function loss(p: Params, x: tf.Tensor2D): tf.Tensor {
  let h: tf.Tensor2D = x;
  for (const { w, b } of p.layers) h = tf.tanh(tf.add(tf.matMul(h, w), b));
  return tf.mean(tf.square(h));
}

describeEachBackend('valueAndGrad', () => {
  it('agrees with tf.grads, and is zero for what is unused', async () => {
    await expectNoLeak(async () => {
      const p = params();
      const x = tf.tensor2d([1, 2, -3, 4, 0.5, -6], [3, 2]);
      const [value, grads] = valueAndGrad(loss)(p, x);
      const leaves = p.layers.flatMap(({ w, b }) => [w, b]);
      const reference = tf.valueAndGrads((w0, b0, w1, b1) =>
        loss(
          {
            ...p,
            layers: [
              { w: w0, b: b0 },
              { w: w1, b: b1 },
            ],
          } as Params,
          x,
        ),
      )(leaves);
      await expectClose(value, reference.value, 0);
      const ours = grads.layers.flatMap(({ w, b }) => [w, b]);
      for (const [i, gradient] of ours.entries()) await expectClose(gradient, reference.grads[i]!, 0);
      await expectClose(grads.unused, [0, 0], 0);
      treeDispose({ p, x, value, grads, rest: reference.grads, again: reference.value });
    });
  });

  it('hands aux through', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2, 3]);
      const f = (p: tf.Tensor): [tf.Tensor, { sum: tf.Tensor; n: number }] => {
        const sum = tf.sum(p);
        return [tf.square(sum), { sum, n: 3 }];
      };
      const [value, gradient, aux] = valueAndGrad(f, { hasAux: true })(x);
      await expectClose(value, [36]);
      await expectClose(gradient, [12, 12, 12]);
      await expectClose(aux.sum, [6]);
      expect(aux.n).toBe(3);
      tf.dispose([x, value, gradient, aux.sum]);
    });
  });

  it('takes captured copies as constants, variables through closures, and one tensor at two places', async () => {
    await expectNoLeak(async () => {
      const x = tf.scalar(3);
      const v = tf.tidy(() => tf.variable(tf.scalar(5)));
      const [a, captured] = valueAndGrad((p: tf.Tensor) => tf.mul(p, x))(x);
      await expectClose(captured, [3]);
      const [b, both] = valueAndGrad((p: [tf.Tensor, tf.Tensor]) => tf.mul(p[0], tf.square(p[1])))([x, x]);
      await expectClose(both[0], [9]);
      await expectClose(both[1], [18]);
      const [c, closed] = valueAndGrad((_: { v: tf.Tensor }) => tf.square(v))({ v });
      await expectClose(closed.v, [10]);
      const [d, identity] = valueAndGrad((p: tf.Tensor) => p)(x);
      await expectClose(identity, [1]);
      const [e, twice] = valueAndGrad((p: [tf.Tensor, tf.Tensor]) => tf.mul(p[0], p[1]))([v, v]);
      await expectClose(twice[1], [10]);
      treeDispose([a, captured, b, both, c, closed, d, identity, e, twice]);
      await expectClose(x, [3], 0);
      tf.dispose([x, v]);
    });
  });

  it('goes past comparisons, where tfjs throws', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([-1, 2, 3]);
      const f = (p: tf.Tensor) => tf.sum(tf.where(tf.greater(p, 0), tf.square(p), tf.mul(p, 5)));
      const [value, gradient] = valueAndGrad(f)(x);
      await expectClose(gradient, [5, 4, 6]);
      tf.dispose([x, value, gradient]);
    });
  });

  it('frees what it saved as it goes back: the peak is below that of tf.grads', async () => {
    const x = tf.ones([64, 64]);
    const deep = (p: tf.Tensor) => {
      let h = tf.sin(p);
      for (let i = 0; i < 20; i++) {
        const next = tf.sin(h);
        h.dispose();
        h = next;
      }
      return tf.mean(h);
    };
    const peak = (run: () => void): number => {
      const engine = tf.engine() as unknown as { trackTensor(...args: unknown[]): void };
      const base = engine.trackTensor;
      let most = 0;
      engine.trackTensor = (...args) => {
        base.apply(tf.engine(), args);
        most = Math.max(most, tf.memory().numDataBuffers);
      };
      const start = tf.memory().numDataBuffers;
      run();
      delete (engine as { trackTensor?: unknown }).trackTensor;
      return most - start;
    };
    const ours = peak(() => tf.dispose(valueAndGrad(deep)(x)));
    const theirs = peak(() => tf.dispose(tf.grad(deep)(x)));
    expect(ours).toBeLessThan(0.75 * theirs);
    x.dispose();
  });

  it('refuses what it cannot differentiate, and leaves nothing behind', async () => {
    await expectNoLeak(() => {
      const x = tf.tensor1d([1, 2]);
      const ids = tf.tensor1d([1, 2], 'int32');
      expect(() => valueAndGrad((p: tf.Tensor) => tf.square(p))(x)).toThrow(/scalar.*shape \[2\]/);
      expect(() => valueAndGrad((p: { ids: tf.Tensor }) => tf.sum(p.ids))({ ids })).toThrow(/'ids' is int32/);
      expect(() => valueAndGrad((async (p: tf.Tensor) => tf.sum(p)) as never)(x)).toThrow(/asynchronous/);
      const boxes = tf.tensor2d([0, 0, 1, 1], [1, 4]);
      const unknown = (p: tf.Tensor): tf.Scalar =>
        tf.sum(tf.image.cropAndResize(tf.reshape(tf.tanh(p), [1, 1, 2, 1]), boxes, tf.tensor1d([0], 'int32'), [1, 2]));
      expect(() => valueAndGrad(unknown)(x)).toThrow(/'CropAndResize' has no gradient/);
      const faulty = (p: tf.Tensor): tf.Tensor => {
        tf.tanh(tf.exp(p));
        throw new Error('in f');
      };
      expect(() => valueAndGrad(faulty)(x)).toThrow('in f');
      tf.dispose([x, ids, boxes]);
    });
  });
});
