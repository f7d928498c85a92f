import { describeEachBackend, expectClose, expectNoLeak, largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { addNoise } from '../kernels/noise.ts';
import { randomCategorical } from './categorical.ts';
import { fillBits, fillNormal, fillSigns, fillUniform } from './fill.ts';
import { fillIntegers } from './integers.ts';
import { key, split } from './key.ts';
import { randomBits, randomIntegers, randomNormal, randomSigns, randomUniform } from './samplers.ts';

const k = { hi: 0x89abcdef, lo: 0xfedcba98 };
const sizes = [0, 1, 3, 4, 127, 128, 129, 1000, 5000];
const offsets = [0, 1, 5, 130, 2 ** 34 - 6];

/** GPUs make normals in float32; docs/random.md allows them this much, relative to 1 + |z|. */
const normalTolerance = (backend: string): number => (backend === 'webgpu' ? 1e-6 : 0);

describeEachBackend('samplers', (backend) => {
  it('give the bits of the host', async () => {
    await expectNoLeak(async () => {
      for (const size of sizes) {
        for (const offset of offsets) {
          const bits = new Int32Array(size);
          fillBits(k, bits, offset);
          const made = randomBits(k, [size], { offset });
          expect(made.dtype).toBe('int32');
          expect(await made.data()).toEqual(bits);
          made.dispose();
          for (const [sampler, fill] of [
            [randomUniform, fillUniform],
            [randomNormal, fillNormal],
            [randomSigns, fillSigns],
          ] as const) {
            const expected = new Float32Array(size);
            fill(k, expected, offset);
            const tensor = sampler(k, [size], { offset });
            expect(tensor.dtype).toBe('float32');
            const tolerance = sampler === randomNormal ? normalTolerance(backend) : 0;
            expect(
              await largestDifference(tensor, expected),
              `${sampler.name}, ${size} from ${offset}`,
            ).toBeLessThanOrEqual(tolerance);
            tensor.dispose();
          }
        }
      }
    });
  });

  it('take shapes and parameters', async () => {
    await expectNoLeak(async () => {
      const [u, z, i] = [
        randomUniform(k, [50, 20], { min: -3, max: 5 }),
        randomNormal(k, [10, 10, 10], { mean: 2, sd: 0.5 }),
        randomIntegers(k, [20, 50], { min: -2, max: 3 }),
      ];
      expect([u.shape, z.shape, i.shape, i.dtype]).toEqual([[50, 20], [10, 10, 10], [20, 50], 'int32']);
      const [uniform, normal, integers] = [new Float32Array(1000), new Float32Array(1000), new Int32Array(1000)];
      fillUniform(k, uniform);
      fillNormal(k, normal);
      fillIntegers(k, integers, -2, 3);
      expect(await u.data()).toEqual(uniform.map((x) => Math.fround(x * 8) - 3));
      await expectClose(
        z,
        normal.map((x) => Math.fround(x * 0.5) + 2),
        normalTolerance(backend),
      );
      expect(await i.data()).toEqual(integers);
      expect(new Set(integers)).toEqual(new Set([-2, -1, 0, 1, 2]));
      tf.dispose([u, z, i]);
    });
  });

  it('refuse bad arguments', () => {
    expect(() => randomNormal(k, [2, -1])).toThrow(/shape must/);
    expect(() => randomSigns(k, [2], { offset: 0.5 })).toThrow(/offset must/);
    expect(() => randomUniform(k, [2], { max: Number.POSITIVE_INFINITY })).toThrow(/max must be a finite/);
    expect(() => randomIntegers(k, [2], { max: 0 })).toThrow(/min < max/);
  });

  it('add noise as the samplers make it', async () => {
    for (const [noise, sampler] of [
      ['normal', randomNormal],
      ['signs', randomSigns],
    ] as const) {
      await expectNoLeak(async () => {
        for (const [size, offset] of [
          [1, 0],
          [1000, 0],
          [777, 3],
          [300, 129],
        ] as const) {
          const p = tf.linspace(-1, 1, size);
          const before = await p.data();
          const alias = tf.clone(p);
          const expected = tf.tidy(() => tf.add(p, tf.mul(sampler(k, [size], { offset }), 0.25)));
          const noisy = addNoise(p, k, { scale: 0.25, noise, offset });
          expect(p.isDisposed).toBe(true);
          await expectClose(noisy, await expected.data(), 1e-7);
          await expectClose(alias, before, 0);
          // Alone, so that it may be written in place; and back again.
          const back = addNoise(noisy, k, { scale: -0.25, noise, offset });
          await expectClose(back, before, 1e-6);
          tf.dispose([back, alias, expected]);
        }
      });
    }
    const p = tf.ones([2], 'int32');
    expect(() => addNoise(p, k, { scale: 1, noise: 'signs' })).toThrow(/p must be float32/);
    p.dispose();
  });
});

describeEachBackend('randomCategorical', () => {
  it('draws classes by their probabilities', async () => {
    await expectNoLeak(async () => {
      const probabilities = [0.5, 0.3, 0.15, 0.05, 0];
      const logits = tf.tensor2d([probabilities.map(Math.log), [0, 0, 0, 0, 0]]);
      const n = 20000;
      const drawn = randomCategorical(key(3), logits, { samples: n });
      expect([drawn.shape, drawn.dtype]).toEqual([[2, n], 'int32']);
      const values = await drawn.data();
      const share = (row: number, c: number) => values.slice(row * n, (row + 1) * n).filter((x) => x === c).length / n;
      for (const [c, p] of probabilities.entries()) {
        expect(Math.abs(share(0, c) - p)).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / n));
        expect(Math.abs(share(1, c) - 0.2)).toBeLessThan(5 * Math.sqrt(0.16 / n));
      }
      tf.dispose([logits, drawn]);
    });
  });

  it('draws one per row without samples, another for another key', async () => {
    await expectNoLeak(async () => {
      const logits = tf.zeros([4, 3, 100]);
      const [a, b] = split(key(1)).map((child) => randomCategorical(child, logits));
      expect(a!.shape).toEqual([4, 3]);
      expect(await a!.data()).not.toEqual(await b!.data());
      expect(() => randomCategorical(k, logits, { samples: 0 })).toThrow(/samples must/);
      tf.dispose([logits, a!, b!]);
    });
  });
});
