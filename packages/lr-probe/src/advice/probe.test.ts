import { adamw, momentum, sgd } from '@frugal/core-trainer';
import { key } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { blobs, release } from '../fixtures/problems.ts';
import { runMiniature } from '../probes/miniature.ts';
import { onScene } from '../scene.ts';
import { warmCosine } from '../schedule.ts';
import { miniatureRuns } from './miniature-runs.ts';
import { probe } from './probe.ts';
import { criticalFraction, fixedRate, newtonPolicy, rangeTestRule } from './single-probes.ts';

describeEachBackend('advice', () => {
  it.each([
    ['sgd', sgd],
    ['momentum', momentum],
    ['adamw', adamw],
  ])(
    'for %s is near the best of a grid, and says why and for what price',
    async (_, optimizer) => {
      await expectNoLeak(async () => {
        const problem = blobs();
        const advice = await probe(problem, { optimizer, steps: 90, setting: 'thorough' });
        const final = (rate: number): Promise<number> =>
          onScene(problem, {}, async (scene) => {
            const run = await runMiniature(scene, rate, {
              optimizer,
              steps: 90,
              schedule: warmCosine(0.1),
              examples: 256,
            });
            return run.loss;
          });
        const grid = [];
        for (let i = -6; i <= 3; i++) grid.push(await final(10 ** (i / 2)));
        const best = Math.min(...grid);
        // All but a twentieth of what can be gained from 1.2 nats.
        expect(await final(advice.rate)).toBeLessThan(best + 0.05 * (1.2 - best));
        expect(advice.reasons.join(' ')).toContain('miniature runs of 13 steps');
        expect(advice.schedule(0)).toBeLessThan(advice.rate);
        expect(advice.schedule(9)).toBeCloseTo(advice.rate, 9);
        expect(advice.schedule(89)).toBeLessThan(0.01 * advice.rate);
        expect(advice.cost.flops).toBeLessThan(advice.grid!.flops / 8);
        const { rate, warmup: warm, batchSize } = advice.parts;
        expect(rate).toEqual({ value: advice.rate, confidence: advice.confidence, reasons: advice.reasons });
        expect(warm).toMatchObject({ value: 9, reasons: [expect.stringContaining('η_c'), ...warm.reasons.slice(1)] });
        expect(Math.log2(batchSize.value!) % 1).toBe(0);
        expect(advice.batchSize).toBe(batchSize.value);
        expect(advice.evidence.noise!.length).toBeGreaterThan(0);
        release(problem);
      });
    },
    60_000,
  );

  it('is divided by the factor on the loss for plain descent', async () => {
    const [plain, scaled] = [blobs(), blobs({ factor: 100 })];
    const options = { optimizer: sgd, steps: 96 };
    const [a, b] = [await probe(plain, options), await probe(scaled, options)];
    // Rungs are half a decade, and a factor of 100 is four of them; the climb may end one apart.
    expect(Math.abs(Math.log10((b.rate * 100) / a.rate))).toBeLessThan(0.26);
    release(plain);
    release(scaled);
  });

  it('lowers the rate of a long run by the exponent that is asked for', async () => {
    const problem = blobs();
    const at = async (shrink: number): Promise<number> =>
      (await probe(problem, { optimizer: sgd, steps: 480, policy: miniatureRuns({ share: 1 / 24, shrink }) })).rate;
    expect((await at(1)) / (await at(0))).toBeCloseTo(6 / 24, 6);
    release(problem);
  });

  it('takes any policy', async () => {
    const problem = blobs();
    for (const policy of [criticalFraction(0.5), rangeTestRule('steep'), newtonPolicy(), fixedRate(0.1)]) {
      const advice = await probe(problem, { optimizer: sgd, steps: 50, policy });
      expect(advice).toMatchObject({ policy: policy.name, confidence: 'low', steps: 50 });
      expect(advice.rate).toBeGreaterThan(0);
      expect(advice.parts.batchSize).toMatchObject({ value: undefined, confidence: 'low' });
    }
    release(problem);
  });
});

/** w, whose gradient has the wrong sign. */
const wrongWay = tf.customGrad((w) => ({ value: tf.clone(w as tf.Tensor), gradFunc: (dy) => tf.neg(dy) })) as (
  w: tf.Tensor,
) => tf.Tensor;

describeEachBackend('advice that there is none', () => {
  it('is an error, not a guess', async () => {
    const problem = { ...blobs(), loss: () => tf.scalar(Number.NaN) };
    await expect(probe(problem, { optimizer: sgd, steps: 50 })).rejects.toMatchObject({ code: 'NOT_FINITE' });
    await expect(probe(problem, { optimizer: sgd, steps: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(() => miniatureRuns({ share: 2 })).toThrow('share');
    release(problem);
  });

  it.each([
    ['constant', (w: tf.Tensor) => tf.add(tf.mul(w, 0), 3), 1, 'FLAT'],
    ['unbounded below', (w: tf.Tensor) => tf.neg(w), 1, 'UNBOUNDED'],
    ['at its minimum', (w: tf.Tensor) => tf.square(w), 0, 'FLAT'],
    ['raised by every step', wrongWay, 1, 'NO_DESCENT'],
  ] as const)('for a loss that is %s', async (_, f, start, code) => {
    await expectNoLeak(async () => {
      const params = { w: tf.scalar(start) };
      const data = [{ x: tf.zeros([1]) }];
      const problem = { loss: (p: typeof params) => f(p.w), params, data, key: key(1) };
      await expect(probe(problem, { optimizer: sgd, steps: 50 })).rejects.toMatchObject({ code });
      release(problem);
    });
  });
});
