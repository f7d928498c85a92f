import { key } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  constant,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  truncatedNormal,
  uniform,
  varianceScaling,
  zeros,
} from './initializers.ts';

const [fanIn, fanOut] = [200, 300];
const make = (initializer: Initializer, seed = 1) => initializer(key(seed), [fanIn, fanOut], { fanIn, fanOut });

describeEachBackend('initializers', () => {
  const scaled: [string, Initializer, number, 'normal' | 'uniform'][] = [
    ['heNormal', heNormal(), 2 / fanIn, 'normal'],
    ['heUniform', heUniform(), 2 / fanIn, 'uniform'],
    ['glorotNormal', glorotNormal(), 2 / (fanIn + fanOut), 'normal'],
    ['glorotUniform', glorotUniform(), 2 / (fanIn + fanOut), 'uniform'],
    ['lecunNormal', lecunNormal(), 1 / fanIn, 'normal'],
    ['lecunUniform', lecunUniform(), 1 / fanIn, 'uniform'],
    ['fanOut', varianceScaling({ mode: 'fanOut', scale: 3 }), 3 / fanOut, 'normal'],
    ['normal', normal({ sd: 0.02 }), 4e-4, 'normal'],
    ['uniform', uniform({ min: -0.3, max: 0.3 }), 0.03, 'uniform'],
  ];
  for (const [name, initializer, variance, distribution] of scaled) {
    it(`${name} has its variance and its tails, by key`, async () => {
      await expectNoLeak(async () => {
        const [w, same, other] = [make(initializer), make(initializer), make(initializer, 2)];
        expect(w.shape).toEqual([fanIn, fanOut]);
        const values = Array.from(await w.data());
        const n = values.length;
        const moment = (k: number) => values.reduce((sum, v) => sum + v ** k, 0) / n;
        // Four standard errors of 60,000 numbers.
        expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(variance / n));
        expect(Math.abs(moment(2) / variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
        expect(moment(4) / moment(2) ** 2).toBeCloseTo(distribution === 'normal' ? 3 : 1.8, 0.8);
        if (distribution === 'uniform') expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(3 * variance) * 1.0001); // biome-ignore format: one bound
        await expectClose(same, await w.data(), 0);
        expect(Array.from(await other.data())).not.toEqual(values);
        tf.dispose([w, same, other]);
      });
    });
  }

  it('truncatedNormal follows the cut distribution', async () => {
    await expectNoLeak(async () => {
      const w = make(truncatedNormal({ mean: 1, sd: 0.5 }));
      const z = Array.from(await w.data(), (v) => (v - 1) / 0.5).sort((a, b) => a - b);
      expect(z[0]!).toBeGreaterThan(-2.00001);
      expect(z.at(-1)!).toBeLessThan(2.00001);
      // Φ(−1.5), Φ(−1), Φ(0), Φ(0.5) and Φ(1.9); four standard errors.
      for (const [x, below] of [
        [-1.5, 0.0668072],
        [-1, 0.1586553],
        [0, 0.5],
        [0.5, 0.6914625],
        [1.9, 0.9712834],
      ] as const) {
        const expected = (below - 0.0227501) / 0.9544997;
        const found = z.filter((v) => v <= x).length / z.length;
        expect(Math.abs(found - expected), `below ${x}`).toBeLessThan(
          4 * Math.sqrt((expected * (1 - expected)) / z.length),
        );
      }
      w.dispose();
    });
  });

  it('constants are constants', async () => {
    await expectNoLeak(async () => {
      const made = [zeros(), ones(), constant(2.5)].map((initializer) =>
        initializer(key(1), [3], { fanIn: 1, fanOut: 1 }),
      );
      for (const [i, value] of [0, 1, 2.5].entries()) await expectClose(made[i]!, [value, value, value], 0);
      tf.dispose(made);
    });
  });

  for (const shape of [
    [48, 48],
    [64, 20],
    [20, 64],
    [3, 3, 4, 16],
    [1, 1],
  ]) {
    it(`orthogonal [${shape}] is orthogonal, times its gain`, async () => {
      await expectNoLeak(async () => {
        const w = orthogonal({ gain: 1.5 })(key(4), shape, { fanIn: 1, fanOut: 1 });
        expect(w.shape).toEqual(shape);
        const [gram, expected] = tf.tidy(() => {
          const columns = shape[shape.length - 1]!;
          const matrix = tf.reshape(w, [-1, columns]) as tf.Tensor2D;
          const tall = matrix.shape[0] >= columns;
          return [tf.matMul(matrix, matrix, tall, !tall), tf.mul(tf.eye(Math.min(matrix.shape[0], columns)), 2.25)];
        });
        await expectClose(gram!, expected!, 2e-5);
        tf.dispose([w, gram!, expected!]);
      });
    });
  }

  it('refuses a scale that is not positive', () => {
    expect(() => varianceScaling({ scale: 0 })).toThrow(/scale must be positive, got 0/);
  });
});
