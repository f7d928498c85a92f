import { key } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { dropout } from './dropout.ts';

describeEachBackend('dropout', () => {
  it('drops its share and keeps the mean', async () => {
    await expectNoLeak(async () => {
      const x = tf.ones([100, 100]);
      const y = dropout(0.3).apply({}, x, { train: true, key: key(1) });
      const values = Array.from(await y.data());
      const dropped = values.filter((v) => v === 0).length / values.length;
      expect(Math.abs(dropped - 0.3)).toBeLessThan(0.02);
      await expectClose([Math.max(...values)], [1 / 0.7], 1e-6);
      tf.dispose([x, y]);
    });
  });

  it('is a function of the key, and nothing at inference or at rate 0', async () => {
    await expectNoLeak(async () => {
      const x = tf.ones([50]);
      const at = (seed: number, train = true, rate = 0.5) => dropout(rate).apply({}, x, { train, key: key(seed) });
      const [a, b, c, d, e] = [at(1), at(1), at(2), at(1, false), at(1, true, 0)] as const;
      await expectClose(a, b, 0);
      expect(Array.from(await a.data())).not.toEqual(Array.from(await c.data()));
      await expectClose(d, x, 0);
      await expectClose(e, x, 0);
      expect(d).not.toBe(x);
      tf.dispose([x, a, b, c, d, e]);
    });
  });

  it('masks the gradient as it masks the value', async () => {
    await expectNoLeak(async () => {
      const x = tf.ones([50]);
      const f = (v: tf.Tensor) => dropout(0.5).apply({}, v, { train: true, key: key(3) });
      const [y, dx] = [f(x), tf.grad(f)(x)];
      await expectClose(dx, y, 0);
      tf.dispose([x, y, dx]);
    });
  });

  it('refuses training without a key, and rates out of range', async () => {
    await expectNoLeak(() => {
      const x = tf.ones([2]);
      expect(() => dropout(0.5).apply({}, x, { train: true, path: 'drop' })).toThrow(/'drop' needs randomness.*'key'/);
      expect(() => dropout(1)).toThrow(/in \[0, 1\), got 1/);
      x.dispose();
    });
  });
});
