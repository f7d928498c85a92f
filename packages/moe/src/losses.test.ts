import { key, randomNormal, treeLeaves, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectGradient, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { balanceBias } from './balance.ts';
import { importanceLoss, loadLoss, switchLoss, zLoss } from './losses.ts';
import { routerEntropy, routingMetrics } from './metrics.ts';
import { type DispatchPlan, planDispatch } from './plan.ts';
import { noisyParts, noisyTopKRouter } from './routers/noisy-top-k.ts';
import { topKRouter } from './routers/top-k.ts';

const planOf = (slots: number[], tokens: number, experts: number, factor?: number): DispatchPlan =>
  planDispatch(
    { slots: Int32Array.from(slots), gates: new Float32Array(slots.length).fill(1) },
    { tokens, experts, ...(factor !== undefined && { capacity: { factor } }) },
  );

describeEachBackend('balance losses', () => {
  it('have the value of their formula at even and one-sided loads', async () => {
    await expectNoLeak(async () => {
      const [even, all] = [planOf([0, 5, 10, 15], 4, 4), planOf([0, 4, 8, 12], 4, 4)];
      const flat = tf.zeros([4, 4]);
      const sure = tf.tensor2d([50, 0, 0, 0, 50, 0, 0, 0, 50, 0, 0, 0, 50, 0, 0, 0], [4, 4]);
      const gates = tf.ones([4, 1]);
      const losses = [
        switchLoss(flat, even),
        switchLoss(sure, all),
        zLoss(flat),
        zLoss(sure),
        importanceLoss(gates, even),
        importanceLoss(gates, all),
      ];
      const values = await Promise.all(losses.map(async (loss) => (await loss.data())[0]!));
      await expectClose(values, [1, 4, Math.log(4) ** 2, 2500, 0, 3]);
      tf.dispose([flat, sure, gates, ...losses]);
    });
  });

  it('have the gradients of central differences', async () => {
    await expectNoLeak(async () => {
      const logits = randomNormal(key(1), [6, 4]);
      const plan = planOf([0, 5, 8, 13, 16, 21], 6, 4);
      const router = topKRouter(4, 4, { k: 1 });
      await expectGradient((x) => switchLoss(x, plan), logits);
      await expectGradient(zLoss, logits);
      await expectGradient((x) => tf.tidy(() => importanceLoss(router.gates(x, plan)!, plan)), logits);
      logits.dispose();
    });
  });

  it('estimate the load: the chance to be chosen if the noise were drawn again', async () => {
    await expectNoLeak(async () => {
      const [dim, experts, tokens] = [4, 3, 5];
      const router = noisyTopKRouter(dim, experts, { k: 2 });
      const weight = randomNormal(key(1), [dim, experts]) as tf.Tensor2D;
      const noise = randomNormal(key(2), [dim, experts]) as tf.Tensor2D;
      const x = randomNormal(key(3), [tokens, dim]);
      const parts = noisyParts({ weight, noise }, x, key(4));
      const noisy = (await parts.noisy.data()) as Float32Array;
      const plan = planDispatch(router.select(noisy, tokens), { tokens, experts });
      const loss = loadLoss(parts, plan);
      const [clean, deviation] = [await parts.clean.data(), await parts.deviation.data()];
      // Φ by summing the density, and the second largest of the others by sorting.
      const phi = (z: number): number => {
        let sum = 0;
        for (let t = -12; t < z; t += 1e-3) sum += Math.exp(-((t + 5e-4) ** 2) / 2) * Math.min(1e-3, z - t);
        return sum / Math.sqrt(2 * Math.PI);
      };
      const load = Array.from({ length: experts }, (_, e) => {
        let sum = 0;
        for (let t = 0; t < tokens; t++) {
          const others = Array.from({ length: experts }, (_, o) => o).filter((o) => o !== e);
          const kth = others.map((o) => noisy[t * experts + o]!).sort((a, b) => b - a)[1]!;
          sum += phi((clean[t * experts + e]! - kth) / deviation[t * experts + e]!);
        }
        return sum;
      });
      const mean = load.reduce((a, b) => a + b) / experts;
      const expected = load.reduce((sum, l) => sum + (l - mean) ** 2, 0) / experts / mean ** 2;
      await expectClose(loss, [expected], 1e-3);
      const [value, grads] = valueAndGrad((p: { weight: tf.Tensor2D; noise: tf.Tensor2D }) =>
        tf.tidy(() => loadLoss(noisyParts(p, x, key(4)), plan)),
      )({ weight, noise });
      for (const leaf of treeLeaves(grads) as tf.Tensor[]) {
        const values = Array.from(await leaf.data());
        expect(values.every(Number.isFinite) && values.some((v) => v !== 0)).toBe(true);
      }
      tf.dispose([weight, noise, x, parts, loss, value, grads] as tf.TensorContainer);
    });
  });
});

describe('balanceBias', () => {
  it('moves against the load until it is even', () => {
    const [tokens, experts] = [64, 4];
    // Expert 0 scores best for every token, by margins that differ.
    const router = topKRouter(2, experts, { k: 1, score: 'sigmoid' });
    const logits = Float32Array.from(
      { length: tokens * experts },
      (_, i) => (i % experts === 0 ? 1 : 0) + Math.sin(i * 12.9898) / 2,
    );
    let bias = new Float32Array(experts);
    const variation = (): number =>
      routingMetrics([planDispatch(router.select(logits, tokens, { bias }), { tokens, experts })]).loadVariation;
    const before = variation();
    for (let step = 0; step < 200; step++) {
      bias = balanceBias(
        bias,
        planDispatch(router.select(logits, tokens, { bias }), { tokens, experts }),
        2e-3,
      ) as typeof bias;
    }
    expect(before).toBeGreaterThan(1);
    expect(variation()).toBeLessThan(0.25);
  });
});

describe('routing metrics', () => {
  it('count pairs, drops, dead experts and uncovered tokens', () => {
    const plan = planOf([0, 4, 8, 13], 4, 4, 2); // three pairs for expert 0, one for expert 1; 2 may stay
    const metrics = routingMetrics([plan], [10, 20, 30, 40]);
    expect(metrics).toMatchObject({
      tokensPerExpert: [2, 1, 0, 0],
      dropRate: 0.25,
      uncoveredRate: 0.25,
      deadExperts: [2, 3],
      expertsPerToken: 0.75,
      flopsPerToken: 25,
    });
    expect(metrics.loadMaxOverMean).toBeCloseTo(2 / 0.75, 10);
    expect(metrics.loadVariation).toBeCloseTo(Math.sqrt((1.25 ** 2 + 0.25 ** 2 + 2 * 0.75 ** 2) / 4) / 0.75, 10);
  });

  it('take an expert for dead only if it is in all batches', () => {
    expect(routingMetrics([planOf([0, 2], 2, 2), planOf([1, 3], 2, 2)]).deadExperts).toEqual([]);
    expect(() => routingMetrics([])).toThrow(/got plans for these numbers of experts: none/);
  });

  it('measure entropy in nats', () => {
    expect(routerEntropy(new Float32Array(8), 4)).toBeCloseTo(Math.log(4), 6);
    expect(routerEntropy(Float32Array.of(100, 0, 0, 100), 2)).toBeCloseTo(0, 6);
    expect(routerEntropy(Float32Array.of(Math.log(3), 0), 2)).toBeCloseTo(
      -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25)),
      6,
    );
  });
});
