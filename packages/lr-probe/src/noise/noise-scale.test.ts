import { key, randomNormal } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { batchSharpness, sharpness } from '../curvature/sharpness.ts';
import { bowl, release } from '../fixtures/problems.ts';
import { gradientCovariance, noiseScale } from './noise-scale.ts';

/** Linear regression y = x·w* + noise at w: g = 2 x (x·(w − w*) − ε), x normal in d dimensions. */
const [d, sigma] = [6, 0.5];

function regression(batches: number, batchSize: number) {
  const away = tf.tensor2d(
    Array.from({ length: d }, () => 0.3),
    [d, 1],
  );
  const data = Array.from({ length: batches }, (_, i) => {
    const x = randomNormal(key(100 + i), [batchSize, d]);
    return { x, y: tf.tidy(() => tf.mul(randomNormal(key(5000 + i), [batchSize, 1]), sigma)) };
  });
  const loss = ({ w }: { w: tf.Tensor }, { x, y }: { x: tf.Tensor; y: tf.Tensor }): tf.Tensor =>
    tf.reshape(tf.square(tf.sub(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), y)), [-1]);
  return { loss, params: { w: away }, data, key: key(1) };
}

describeEachBackend('noise', () => {
  it('has the closed form of linear regression', async () => {
    await expectNoLeak(async () => {
      const problem = regression(200, 16);
      const found = await noiseScale(problem, { batches: 200 });
      // With δ = w − w*: G = 2δ; E|g|² = 4 (σ² d + |δ|² (d + 2)).
      const square = d * 0.09;
      const [signal, whole] = [4 * square, 4 * (sigma ** 2 * d + square * (d + 2))];
      const exact = (whole - signal) / signal;
      expect(Math.abs(found.scale / exact - 1)).toBeLessThan(0.15);
      expect(Math.abs(found.scale - exact)).toBeLessThan(4 * found.error);
      expect(found.batchSize).toBe(16);
      release(problem);
    });
  });

  it('says so where there is no signal', async () => {
    const problem = regression(8, 4);
    problem.params.w.dispose();
    problem.params.w = tf.zeros([d, 1]);
    let failures = 0;
    for (let seed = 0; seed < 6; seed++) {
      const data = problem.data.slice(seed % 3, (seed % 3) + 5);
      failures += await noiseScale({ ...problem, data }, { batches: 5 }).then(
        () => 0,
        ({ code }: { code: string }) => (code === 'FLAT' ? 1 : 0),
      );
    }
    expect(failures).toBeGreaterThan(0);
    release(problem);
  });

  it('finds the covariance of gradients and the sharpness of batches', async () => {
    await expectNoLeak(async () => {
      const problem = regression(12, 64);
      const { eigenvalues, trace, noiseShare } = await gradientCovariance(problem, { batches: 12, count: 12 });
      expect(eigenvalues.reduce((sum, value) => sum + value, 0)).toBeCloseTo(trace, 4);
      expect(eigenvalues.toSorted((a, b) => b - a)).toEqual(eigenvalues);
      expect(noiseShare).toBeGreaterThan(0);
      expect(noiseShare).toBeLessThan(1);
      const { mean } = await batchSharpness(problem, { batches: 12 });
      const top = await sharpness(problem, { examples: 768 });
      expect(mean).toBeGreaterThan(1);
      // The Hessian is 2/B Σ xxᵀ: near 2 in every direction.
      expect(top.sharpness).toBeGreaterThan(2);
      expect(top.sharpness).toBeLessThan(2.6);
      tf.dispose(top.vectors as tf.Tensor[]);
      release(problem);
      const round = bowl([7, 7, 7]);
      expect((await batchSharpness(round, { batches: 2 })).mean).toBeCloseTo(7, 3);
      release(round);
    });
  });
});
