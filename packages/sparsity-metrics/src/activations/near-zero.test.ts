import { adam, train } from '@frugal/core-trainer';
import { mlp, vit } from '@frugal/nn';
import { KernelName, key, randomNormal, treeDispose, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectGradient, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { effectiveRank } from './effective-rank.ts';
import { calibrateThresholds, criticalSparsity, thinned, thinOut, topPSparsity } from './near-zero.ts';
import { activityPenalty, withActivityPenalty } from './penalty.ts';
import { probeActivations } from './probe.ts';
import { watchActivity } from './watch.ts';

describe('measures of what is nearly zero', () => {
  it('top-p: the fewest that hold the share', () => {
    const values = [0, -6, 1, 2, 0, 1]; // norm 10
    const kept = [0.6, 0.61, 0.8, 0.9, 1].map((p) => Math.round(6 * (1 - topPSparsity(values, p))));
    expect(kept).toEqual([1, 2, 2, 3, 4]);
    expect(topPSparsity([0, 0], 0.5)).toBe(1);
    expect(() => topPSparsity([1], 0)).toThrow(/p must be/);
    expect(() => topPSparsity([], 0.5)).toThrow(/at least one/);
    expect(() => topPSparsity([Number.NaN], 0.5)).toThrow(/NaN/);
  });

  it('effective rank: of orthogonal, repeated and random vectors', () => {
    expect(effectiveRank([1, 0, 0, 0, 1, 0, 0, 0, 1], 3, 3)).toBeCloseTo(3, 10);
    expect(effectiveRank([1, 2, 2, 4, 3, 6], 3, 2)).toBeCloseTo(1, 6);
    // Singular values 3 and 1: shares ¾ and ¼.
    const entropy = -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25));
    expect(effectiveRank([2, 1, 1, 2], 2, 2)).toBeCloseTo(Math.exp(entropy), 10);
    expect(effectiveRank([2, 1, 0, 1, 2, 0], 2, 3)).toBeCloseTo(Math.exp(entropy), 10);
    expect(effectiveRank([0, 0], 1, 2)).toBeNaN();
    expect(() => effectiveRank([1, 2], 2, 2)).toThrow(/no matrix/);
    expect(() => effectiveRank([Number.NaN, 2], 1, 2)).toThrow(/NaN/);
  });

  it('critical sparsity: where quality falls below its share', async () => {
    const found = await criticalSparsity((sparsity) => (sparsity <= 0.625 ? 1 : 0.5), { steps: 10 });
    expect(found).toBeCloseTo(0.625, 2);
    expect(await criticalSparsity((s) => 1 - s, { keep: 0.9, steps: 12 })).toBeCloseTo(0.1, 3);
    await expect(criticalSparsity(() => 1, { steps: 0 })).rejects.toThrow(/steps/);
  });
});

describeEachBackend('activations thinned out', () => {
  it('by norm, by number, by threshold', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([0, -6, 1, 2, 0.5, 0.5, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0], [3, 6]);
      for (const p of [0.6, 0.8, 0.9]) {
        const y = thinned(x, { topP: p });
        const [values, original] = [await y.data(), await x.data()];
        const zeros = Array.from(values.slice(0, 6)).filter((value) => value === 0).length / 6;
        expect(zeros).toBeCloseTo(topPSparsity(original.slice(0, 6), p), 6);
        expect(Array.from(values.slice(12))).toEqual([0, 0, 0, 0, 0, 0]);
        y.dispose();
      }
      const [k, t] = [thinned(x, { topK: 1 / 3 }), thinned(x, { threshold: 1 })];
      expect(Array.from((await k.data()).slice(0, 6), (v) => v + 0)).toEqual([0, -6, 0, 2, 0, 0]);
      expect(Array.from((await t.data()).slice(0, 6), (v) => v + 0)).toEqual([0, -6, 0, 2, 0, 0]);
      expect(() => thinned(x, { threshold: -1 })).toThrow(/threshold/);
      expect(() => thinned(x, { topP: 2 })).toThrow(/topP/);
      tf.dispose([x, k, t]);
    });
  });

  it('thresholds that make a GELU model sparse, and what it says then', async () => {
    await expectNoLeak(async () => {
      const model = vit({ dim: 16, depth: 2, heads: 2 });
      const params = model.init(key(1));
      const images = randomNormal(key(2), [4, 28, 28, 1]);
      const select = (kernel: string): boolean => kernel === KernelName.Gelu || kernel === 'Sigmoid';
      const run = (): tf.Tensor => model.apply(params, images);
      const { thresholds, rule } = await calibrateThresholds(run, select, 0.5);
      expect(thresholds).toHaveLength(2);
      const name = (kernel: string): string | undefined => (select(kernel) ? 'gelu' : undefined);
      const before = await probeActivations(run, { select: name });
      const after = await probeActivations(() => thinOut(run, select, rule), { select: name });
      expect(before.zeroFraction).toBeLessThan(0.01);
      expect(after.layers).toHaveLength(2);
      const [dense, same, thin] = [run(), thinOut(run, select, { threshold: 0 }), thinOut(run, select, rule)];
      await expectClose(same, dense, 1e-6);
      const [a, b] = [await dense.data(), await thin.data()];
      expect(Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))).toBeGreaterThan(1e-4);
      await expect(calibrateThresholds(run, () => false, 0.5)).rejects.toThrow(/no kernel/);
      await expect(calibrateThresholds(run, select, [0.5])).rejects.toThrow(/activation 1/);
      treeDispose([params, images, dense, same, thin]);
    });
  });
});

describeEachBackend('penalties of activity', () => {
  it('L1 and squared Hoyer, with their gradients', async () => {
    await expectNoLeak(async () => {
      const h = tf.tensor2d([0, 3, 4, 0, 1, 1, 1, 1], [2, 4]);
      const [l1, hoyer] = [activityPenalty(h, 'l1'), activityPenalty(h, 'squaredHoyer')];
      await expectClose(l1, [11 / 8], 1e-6);
      await expectClose(hoyer, [(49 / 25 + 16 / 4) / 2 / 4], 1e-6);
      const x = tf.tensor2d([0.5, 1, -2, 1.5], [2, 2]);
      await expectGradient((v) => activityPenalty(v, 'squaredHoyer'), x);
      await expectGradient((v) => activityPenalty(v, 'l1'), x);
      tf.dispose([h, l1, hoyer, x]);
    });
  });

  it('of any program, inside of a gradient; training by it makes a net sparser', async () => {
    await expectNoLeak(async () => {
      const model = mlp([8, 32, 4]);
      const x = randomNormal(key(3), [40, 8]);
      const loss = (params: ReturnType<typeof model.init>): tf.Tensor => {
        const { output, activity } = withActivityPenalty(() => model.apply(params, x));
        return tf.add(tf.mean(tf.square(output)), tf.mul(activity, 2));
      };
      const start = model.init(key(1));
      const [value, grads] = valueAndGrad(loss)(start);
      const size = tf.tidy(() => tf.sum(tf.abs(grads['0']!.weight)));
      expect((await size.data())[0]).toBeGreaterThan(0);
      treeDispose([value, grads, size]);
      const watch = watchActivity<typeof start>({
        everySteps: 20,
        look: (params) => probeActivations(() => model.apply(params, x)),
      });
      const data = async function* () {
        for (let i = 0; i < 60; i++) yield {};
      };
      const vector = (params: typeof start): tf.Tensor1D => tf.reshape(loss(params), [1]) as tf.Tensor1D;
      const run = train({
        ...{ model, params: start, loss: vector, optimizer: adam(0.02), data: data() as never, steps: 60, key: key(1) },
        hooks: [watch],
      });
      const { params, optimizer, state } = await run.result;
      expect(watch.samples.map(({ step }) => step)).toEqual([0, 20, 40, 60]);
      const zeros = watch.samples.map(({ report }) => report.zeroFraction);
      expect(zeros.at(-1)! - zeros[0]!).toBeGreaterThan(0.15);
      const plain = withActivityPenalty(() => model.apply(start, x), { penalty: 'l1' });
      expect((await plain.activity.data())[0]).toBeGreaterThan(0);
      tf.dispose([plain.output, plain.activity]);
      expect(() => withActivityPenalty(() => tf.clone(x))).toThrow(/no rectifying kernel/);
      treeDispose([x, start, params, optimizer, state]);
    });
  });
});
