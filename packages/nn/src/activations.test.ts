import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { activation, leakyRelu } from './activations.ts';
import type { ActivationName } from './spec.ts';

/** The error function by its series, good to 1e-15 in this range. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const formulas: Record<Exclude<ActivationName, 'softmax'>, (x: number) => number> = {
  relu: (x) => Math.max(0, x),
  relu6: (x) => Math.min(6, Math.max(0, x)),
  leakyRelu: (x) => (x > 0 ? x : 0.01 * x),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  gelu: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  geluExact: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  softplus: (x) => Math.log1p(Math.exp(x)),
  linear: (x) => x,
};

const inputs = [-4, -1.5, -0.1, 0, 0.3, 2, 4, 7].map(Math.fround).filter((x) => Math.abs(x) < 5 || x === 7);

describeEachBackend('activations', () => {
  for (const [name, formula] of Object.entries(formulas) as [ActivationName, (x: number) => number][]) {
    it(`${name} equals its formula`, async () => {
      await expectNoLeak(async () => {
        const points = name === 'geluExact' ? inputs.filter((x) => x < 5) : inputs;
        const x = tf.tensor1d(points);
        const y = activation(name).apply({}, x);
        expect(y).not.toBe(x);
        await expectClose(y, points.map(formula), 1e-6);
        tf.dispose([x, y]);
      });
    });
  }

  it('softmax sums to one over the last axis, without overflow', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([1000, 1000, 0, Math.log(3)], [2, 2]);
      const y = activation('softmax').apply({}, x);
      await expectClose(y, [0.5, 0.5, 0.25, 0.75], 1e-6);
      tf.dispose([x, y]);
    });
  });

  it('leakyRelu takes its slope, and unknown names are refused', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([-2, 2]);
      const y = leakyRelu(0.2).apply({}, x);
      await expectClose(y, [-0.4, 2], 1e-6);
      tf.dispose([x, y]);
    });
    expect(() => activation('swishy' as ActivationName)).toThrow(/no activation is called 'swishy'.*relu/);
  });
});
