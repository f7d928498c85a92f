import { sgd } from '@frugal/core-trainer';
import { key, randomNormal } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { GradientNoise } from '../noise/running.ts';
import { miniature } from '../probes/miniature.ts';
import { batchSizePart, warmupPart } from './parts.ts';
import type { Advice } from './policy.ts';

const cost = { forwards: 0, gradients: 0, flops: 0, ms: 0 };
const advice = (rate: number, edge?: number): Advice => ({
  ...{ rate, confidence: 'high', reasons: [], cost },
  evidence: edge === undefined ? {} : { critical: { rate: edge } as never },
});
const noise = (signal: number, spread: number): GradientNoise => ({
  ...{ signal, noise: spread, batchSize: 32, gradients: 10 },
  scale: signal > 0 ? spread / signal : Number.POSITIVE_INFINITY,
});

describe('the warm-up', () => {
  it('is needed beyond η_c, and could begin there', () => {
    const part = warmupPart(advice(0.4, 0.1), 100);
    expect(part).toMatchObject({ value: 100, confidence: 'high' });
    expect(part.reasons[0]).toContain('4.0 times η_c');
    expect(part.reasons[1]).toContain('saves 25 of 100 steps');
    expect(warmupPart(advice(0.15, 0.1), 100).confidence).toBe('medium');
  });

  it('is a custom where the first step bears all, or where nobody looked', () => {
    expect(warmupPart(advice(0.05, 0.1), 100)).toMatchObject({ value: 100, confidence: 'low' });
    expect(warmupPart(advice(0.05), 100)).toMatchObject({ value: 100, confidence: 'low' });
  });
});

describe('the batch size', () => {
  it('is the noise scale, averaged apart, as a power of two; agreement makes it sure', () => {
    expect(batchSizePart({ noise: [noise(1, 100), noise(1, 150), noise(2, 280)] })).toMatchObject({
      value: 128,
      confidence: 'high',
    });
    expect(batchSizePart({ noise: [noise(1, 100), noise(1, 300)] })).toMatchObject({ confidence: 'medium' });
    expect(batchSizePart({ noise: [noise(1, 100), noise(1, 900)] })).toMatchObject({ confidence: 'low' });
    expect(batchSizePart({ noise: [noise(1, 100)] })).toMatchObject({ confidence: 'low' });
    expect(batchSizePart({ noise: [noise(4, 1)] }).value).toBe(1);
  });

  it('is at least what was looked at where no signal is seen, and nothing where nobody looked', () => {
    const { value, confidence, reasons } = batchSizePart({ noise: [noise(-1, 100)] });
    expect([value, confidence]).toEqual([256, 'low']);
    expect(reasons[0]).toContain('some 320 or more');
    expect(batchSizePart({}).value).toBeUndefined();
  });
});

describeEachBackend('noise along a run', () => {
  it('has the closed form of linear regression where the run stands still', async () => {
    await expectNoLeak(async () => {
      // y = ε, x normal, w = 0.3 everywhere: G = 2w; E|g|² = 4 (σ² d + |w|² (d + 2)).
      const [d, sigma, batches, batchSize] = [6, 0.5, 400, 16];
      const data = Array.from({ length: batches }, (_, i) => ({
        x: randomNormal(key(100 + i), [batchSize, d]),
        y: tf.tidy(() => tf.mul(randomNormal(key(5000 + i), [batchSize, 1]), sigma)),
      }));
      const params = { w: tf.fill([d, 1], 0.3) };
      const loss = ({ w }: { w: tf.Tensor }, { x, y }: { x: tf.Tensor; y: tf.Tensor }): tf.Tensor =>
        tf.reshape(tf.square(tf.sub(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), y)), [-1]);
      const options = { optimizer: sgd, rates: [1e-9], steps: batches, examples: 32 };
      const [run] = await miniature({ loss, params, data, key: key(1) }, options);
      const square = d * 0.09;
      const [signal, whole] = [4 * square, 4 * (sigma ** 2 * d + square * (d + 2))];
      expect(run!.noise).toMatchObject({ batchSize, gradients: 80 });
      expect(Math.abs(run!.noise!.signal / signal - 1)).toBeLessThan(0.2);
      expect(Math.abs(run!.noise!.scale / ((whole - signal) / signal) - 1)).toBeLessThan(0.25);
      tf.dispose([params, data] as tf.TensorContainer);
    });
  });
});
