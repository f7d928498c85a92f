import { adam, momentum, sgd } from '@frugal/core-trainer';
import { randomNormal } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { blobs, bowl, release } from '../fixtures/problems.ts';
import type { ProbeEvent, Problem } from '../problem.ts';
import { type CriticalRateOptions, criticalRate } from './critical-rate.ts';
import { lineProbe } from './line-probe.ts';
import { newtonRate } from './newton-rate.ts';

const eigenvalues = [20, 7, 3, 1, 0.2];

/** 2 gᵀg / gᵀHg of a bowl, from its gradient by the tape. */
async function exactRate({ params, data, loss }: ReturnType<typeof bowl>): Promise<number> {
  const [gg, ghg] = tf.tidy(() => {
    const at = (w: tf.Tensor) => tf.sum(loss({ w }, (data as never[])[0]!, { train: true })) as tf.Scalar;
    const gradient = tf.grad(at);
    const g = gradient(params.w);
    const hg = tf.sub(gradient(tf.add(params.w, g)), g);
    return [tf.sum(tf.square(g)), tf.sum(tf.mul(g, hg))] as const;
  });
  const rate = (2 * (await gg.data())[0]!) / (await ghg.data())[0]!;
  tf.dispose([gg, ghg]);
  return rate;
}

/** A problem over one number. */
const line = (f: (w: tf.Tensor) => tf.Tensor, start = 1): Problem<{ w: tf.Tensor }, { x: tf.Tensor }> => ({
  loss: ({ w }) => f(w),
  params: { w: tf.scalar(start) },
  data: [{ x: tf.zeros([1]) }],
  key: { hi: 0, lo: 1 },
});

const codeOf = async (problem: Problem<never, never>, more: Partial<CriticalRateOptions> = {}): Promise<unknown> => {
  try {
    return await criticalRate(problem, { optimizer: sgd, ...more });
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    release(problem);
  }
};

describeEachBackend('critical rate', () => {
  it.each([undefined, 1e-6, 1, 1e6])('is 2 gg / gHg in a bowl, from a guess of %s', async (guess) => {
    await expectNoLeak(async () => {
      const problem = bowl(eigenvalues);
      const exact = await exactRate(problem);
      const found = await criticalRate(problem, { optimizer: sgd, ...(guess === undefined ? {} : { guess }) });
      expect(Math.abs(found.rate / exact - 1)).toBeLessThan(0.04);
      expect(found.bracket[0]).toBeLessThan(exact * 1.001);
      expect(found.bracket[1]).toBeGreaterThan(exact * 0.999);
      expect(1 - found.bracket[0] / found.bracket[1]).toBeLessThanOrEqual(1 / 16);
      expect(found.sharpness).toBeLessThanOrEqual(20 * 1.04);
      if (guess === undefined) expect(found.cost.forwards).toBeLessThanOrEqual(6);
      release(problem);
    });
  });

  it('needs few passes from the last one, on a net', async () => {
    const problem = blobs();
    const cold = await criticalRate(problem, { optimizer: sgd });
    const warm = await criticalRate(problem, { optimizer: sgd, guess: cold.rate * 1.2 });
    expect(warm.cost.forwards).toBeLessThanOrEqual(6);
    expect(Math.abs(warm.rate / cold.rate - 1)).toBeLessThan(0.07);
    // The bracket says the truth.
    const { points } = await lineProbe(problem, { optimizer: sgd, rates: [0, ...warm.bracket] });
    expect(points[1]!.loss).toBeLessThanOrEqual(points[0]!.loss);
    expect(points[2]!.loss).toBeGreaterThan(points[0]!.loss);
    release(problem);
  });

  it.each([1e-6, 1e6])('is divided by the factor on the loss: %s', async (factor) => {
    const [plain, scaled] = [blobs(), blobs({ factor })];
    const [a, b] = [await criticalRate(plain, { optimizer: sgd }), await criticalRate(scaled, { optimizer: sgd })];
    expect(Math.abs((b.rate * factor) / a.rate - 1)).toBeLessThan(0.07);
    // Adam does not see the factor.
    const adamOf = (rate: number | ((step: number) => number)) => adam(rate, { epsilon: 1e-20 });
    const [c, d] = [
      await criticalRate(plain, { optimizer: adamOf }),
      await criticalRate(scaled, { optimizer: adamOf }),
    ];
    expect(Math.abs(d.rate / c.rate - 1)).toBeLessThan(0.07);
    release(plain);
    release(scaled);
  });

  it('follows the update of the optimizer where it stands, and tells its events', async () => {
    await expectNoLeak(async () => {
      const problem = blobs();
      const optimizer = momentum(0.1);
      const slots = optimizer.init(problem.params);
      const events: ProbeEvent[] = [];
      const fresh = await criticalRate(problem, { optimizer: momentum, onEvent: (event) => events.push(event) });
      const same = await criticalRate(problem, { optimizer: momentum, position: { state: slots, step: 0 } });
      expect(same.rate).toBe(fresh.rate);
      expect(events.map(({ done }) => done)).toEqual(fresh.points.map((_, i) => i + 1));
      release(problem);
      tf.dispose(slots as tf.TensorContainer);
    });
  });

  it('ends where the signal says, and frees what it held', async () => {
    await expectNoLeak(async () => {
      const problem = blobs();
      const controller = new AbortController();
      const onEvent = (): void => controller.abort(new Error('enough'));
      await expect(criticalRate(problem, { optimizer: sgd, onEvent, signal: controller.signal })).rejects.toThrow(
        'enough',
      );
      release(problem);
    });
  });
});

describeEachBackend('hostile losses', () => {
  it.each([
    ['NaN from the start', () => line((w) => tf.log(tf.neg(w))), 'NOT_FINITE'],
    ['constant', () => line((w) => tf.add(tf.mul(w, 0), 3)), 'FLAT'],
    ['unbounded below', () => line((w) => tf.neg(w)), 'UNBOUNDED'],
    ['trained already', () => line((w) => tf.square(w), 0), 'FLAT'],
    [
      'at a minimum that float32 cannot leave downwards',
      () => line((w) => tf.add(tf.square(w), 1e4), 1e-3),
      'NO_DESCENT',
    ],
  ])('%s is a failure: %s', async (_, make, code) => {
    await expectNoLeak(async () => expect(await codeOf(make() as never)).toBe(code));
  });

  it('finds through noise, for it stands still, what there is without', async () => {
    const { data, ...quiet } = bowl(eigenvalues);
    // Larger than what the best step gains, and another at each step of training.
    const loss: typeof quiet.loss = (params, batch, ctx) =>
      tf.tidy(() => tf.add(quiet.loss(params, batch, ctx), randomNormal(ctx.key!, [1])));
    const [plain, noisy] = [
      { ...quiet, data },
      { ...quiet, data, loss },
    ];
    const [a, b] = [await criticalRate(plain, { optimizer: sgd }), await criticalRate(noisy, { optimizer: sgd })];
    expect(Math.abs(b.loss - a.loss)).toBeGreaterThan(0.1);
    expect(Math.abs(b.rate / a.rate - 1)).toBeLessThan(0.07);
    release(plain);
  });

  it('takes NaN behind a wall for raised', async () => {
    // √(1 + w) falls towards w = −1, and is NaN beyond.
    const problem = line((w) => tf.sqrt(tf.add(1, w)), 0);
    const found = await criticalRate(problem, { optimizer: sgd });
    expect(found.rate).toBeGreaterThan(1.9);
    expect(found.rate).toBeLessThan(2.1);
    release(problem);
  });

  it('finds a parabola no minimum where there is none', async () => {
    const [problem, bent] = [line((w) => tf.neg(tf.square(w))), bowl(eigenvalues)];
    await expect(newtonRate(problem, { optimizer: sgd })).rejects.toMatchObject({ code: 'NOT_CONVEX' });
    const found = await newtonRate(bent, { optimizer: sgd, width: 0.01 });
    expect(Math.abs((2 * found.rate) / (await exactRate(bent)) - 1)).toBeLessThan(1e-2);
    expect(found.cost.forwards).toBe(2);
    release(problem);
    release(bent);
  });
});
