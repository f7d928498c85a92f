import { foldIn, key, randomNormal } from '@frugal/tensor';
import { describeEachBackend, expectGradient } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { fixedGate, mlpGate, selectCounts } from './gate.ts';
import { straightThrough } from './straight-through.ts';
import { gateContract } from './testing/index.ts';

describeEachBackend('gates', () => {
  for (const min of [0, 1]) {
    for (const { name, run } of gateContract((dim, learners) => mlpGate(dim, learners, { min }) as never)) {
      it(`mlpGate from ${min} ${name}`, run);
    }
  }
  for (const { name, run } of gateContract((_, learners) => fixedGate(learners, 2) as never)) {
    it(`fixedGate ${name}`, run);
  }

  it('samples numbers by their probabilities', async () => {
    const logits = tf.tile(tf.tensor2d([[Math.log(0.5), Math.log(0.3), Math.log(0.2)]]), [4000, 1]);
    const shares = tf.tidy(() => tf.mean(straightThrough(logits, 0.8, key(3)), 0));
    const values = Array.from(await shares.data());
    for (const [i, p] of [0.5, 0.3, 0.2].entries()) expect(Math.abs(values[i]! - p)).toBeLessThan(0.03);
    tf.dispose([logits, shares]);
  });

  it('has the gradient of the soft choice', async () => {
    const x = randomNormal(foldIn(key(4), 0), [3, 4]);
    const weights = randomNormal(foldIn(key(4), 1), [3, 4]);
    // Against the softmax itself: the straight-through value is a constant of its own.
    const soft = (logits: tf.Tensor) => tf.tidy(() => tf.sum(tf.mul(tf.softmax(tf.div(logits, 0.8)), weights)));
    const hard = (logits: tf.Tensor) => tf.tidy(() => tf.sum(tf.mul(straightThrough(logits, 0.8), weights)));
    await expectGradient(soft, x, { step: 2e-3 });
    const [own, wanted] = [tf.grad(hard)(x), tf.grad(soft)(x)];
    expect(Array.from(await own.data())).toEqual(Array.from(await wanted.data()));
    const once = straightThrough(x, 0.8);
    expect(Array.from(await once.data()).every((value) => value === 0 || value === 1)).toBe(true);
    tf.dispose([x, weights, own, wanted, once]);
  });
});

describe('selectCounts', () => {
  const logits = Float32Array.from([0.1, 0.6, 0.3].map(Math.log));
  const shape = { learners: 3, min: 1 };

  it('takes the most probable, the tilted, the quantile, or what it is told', () => {
    expect(selectCounts(logits, 1, shape)[0]).toBe(2);
    expect(selectCounts(logits, 1, shape, { tilt: 0.6 })[0]).toBe(2);
    expect(selectCounts(logits, 1, shape, { tilt: 0.8 })[0]).toBe(3);
    expect(selectCounts(logits, 1, shape, { threshold: 0.09 })[0]).toBe(1);
    expect(selectCounts(logits, 1, shape, { threshold: 0.69 })[0]).toBe(2);
    expect(selectCounts(logits, 1, shape, { threshold: 0.8 })[0]).toBe(3);
    expect(selectCounts(logits, 1, shape, { count: 1 })[0]).toBe(1);
  });

  it('refuses options out of range', () => {
    expect(() => selectCounts(logits, 1, shape, { count: 0 })).toThrow(/count must be an integer between 1 and 3/);
    expect(() => selectCounts(logits, 1, shape, { threshold: 2 })).toThrow(
      /threshold must be a number between 0 and 1/,
    );
  });
});
