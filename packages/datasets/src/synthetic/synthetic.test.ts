import type { Tree } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { quadratic } from './quadratic.ts';
import { spirals } from './spirals.ts';
import { teacherRegression } from './teacher.ts';

const key = { hi: 9, lo: 10 };

describe('spirals', () => {
  test('points lie on their arm', () => {
    const { x, y, classes } = spirals({ size: 300, classes: 3, turns: 1, noise: 0, key });
    expect(classes).toBe(3);
    for (let i = 0; i < 300; i++) {
      const radius = Math.hypot(x[2 * i]!, x[2 * i + 1]!);
      const angle = 2 * Math.PI * (radius + y[i]! / 3);
      expect(x[2 * i]).toBeCloseTo(radius * Math.cos(angle), 5);
      expect(x[2 * i + 1]).toBeCloseTo(radius * Math.sin(angle), 5);
    }
  });

  test('noise has the asked size, and the key decides', () => {
    const options = { size: 5000, key };
    const clean = spirals({ ...options, noise: 0 });
    const noisy = spirals({ ...options, noise: 0.1 });
    const variance = noisy.x.reduce((sum, value, i) => sum + (value - clean.x[i]!) ** 2, 0) / noisy.x.length;
    expect(Math.sqrt(variance)).toBeCloseTo(0.1, 2);
    expect(spirals(options)).toEqual(spirals(options));
    expect(spirals(options)).not.toEqual(spirals({ ...options, key: { hi: 0, lo: 0 } }));
  });
});

describe('teacherRegression', () => {
  test('targets are what the teacher says', () => {
    const { examples, layers, floor } = teacherRegression({ size: 50, inputs: 3, hidden: [4, 5], outputs: 2, key });
    expect(layers.map((layer) => [layer.inputs, layer.outputs])).toEqual([
      [3, 4],
      [4, 5],
      [5, 2],
    ]);
    expect(floor).toBeLessThan(1e-12);
    for (let n = 0; n < 50; n++) {
      let values = [...examples.x.subarray(3 * n, 3 * n + 3)];
      for (const [l, layer] of layers.entries()) {
        values = Array.from(layer.bias, (bias, o) => {
          const sum = values.reduce((s, value, i) => s + value * layer.weight[i * layer.outputs + o]!, bias);
          return l < 2 ? Math.tanh(sum) : sum;
        });
      }
      expect(examples.y[2 * n]).toBeCloseTo(values[0]!, 5);
      expect(examples.y[2 * n + 1]).toBeCloseTo(values[1]!, 5);
    }
  });

  test('the floor is the variance of the noise', () => {
    expect(teacherRegression({ size: 20_000, inputs: 2, hidden: [], noise: 0.5, key }).floor).toBeCloseTo(0.25, 2);
  });
});

describe('quadratic', () => {
  const eigenvalues = [0.5, 10, 3, -1];

  test('the Hessian has the asked eigenvalues and its own eigenvectors', () => {
    const { hessian, eigenvectors, eigenvalues: sorted } = quadratic({ eigenvalues, key });
    expect(sorted).toEqual([10, 3, 0.5, -1]);
    for (let i = 0; i < 4; i++) {
      const v = eigenvectors.subarray(4 * i, 4 * i + 4);
      for (let row = 0; row < 4; row++) {
        const product = v.reduce((sum, value, k) => sum + hessian[4 * row + k]! * value, 0);
        expect(product).toBeCloseTo(sorted[i]! * v[row]!, 4);
      }
    }
  });

  test('refuses what has no Hessian', () => {
    expect(() => quadratic({ eigenvalues: [], key })).toThrow(/number of eigenvalues is 0/);
    expect(() => quadratic({ eigenvalues: [Number.NaN], key })).toThrow(/Pass finite/);
  });
});

describeEachBackend('quadratic', () => {
  const problem = quadratic({ eigenvalues: [4, 1, 0.25], noise: 0.3, size: 64, key });

  test('gradients are H (w − w*), their covariance is stated', async () => {
    const { w } = problem.init();
    const batches: { slopes: tf.Tensor }[] = [];
    for await (const batch of problem.dataset({ batchSize: 64 }).batches({ key, epoch: 0 })) batches.push(batch);
    const loss = (at: tf.Tensor, batch: { slopes: tf.Tensor }): tf.Scalar =>
      tf.mean(problem.loss({ w: at }, batch, { train: true })) as tf.Scalar;
    const gradient = tf.grad((at) => loss(at, batches[0]!))(w);
    const point = Array.from(await w.data());
    const expected = Array.from(point, (_, row) =>
      point.reduce((sum, value, k) => sum + problem.hessian[3 * row + k]! * (value - problem.minimum[k]!), 0),
    );
    await expectClose(gradient, expected, 1e-5);
    const slopes = Array.from(await batches[0]!.slopes.data());
    const trace = slopes.reduce((sum, value) => sum + value ** 2, 0) / 64;
    expect(problem.noiseTrace).toBeCloseTo(trace, 5);
    expect(problem.noiseTrace).toBeGreaterThan(0.15);
    tf.dispose([w, gradient, batches as unknown as Tree] as tf.Tensor[]);
  });

  test('leaks nothing', async () => {
    await expectNoLeak(async () => {
      const params = problem.init();
      for await (const batch of problem.dataset({ batchSize: 30 }).batches({ key, epoch: 0 })) {
        const losses = problem.loss(params, batch, { train: false });
        expect(losses.shape).toEqual(batch.slopes.shape.slice(0, 1));
        tf.dispose([losses, batch.slopes]);
      }
      tf.dispose(params);
    });
  });
});
