import { adamw, momentum, sgd } from '@frugal/core-trainer';
import { optimizerContract } from '@frugal/core-trainer/testing';
import { lenet300 } from '@frugal/nn';
import { key, randomNormal, type Tree, treeClone, treeDispose, treeMap } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { keepPruned } from './keep-pruned.ts';
import { applyMasks, type Masks, weightSparsity } from './masks.ts';
import { magnitudeMasks, pruneByScores, randomMasks, snipMasks } from './prune.ts';
import { remainingWork } from './remaining.ts';
import { cubicSparsity, geometricSparsity } from './schedule.ts';

const valuesOf = async (masks: Masks, path: string): Promise<number[]> => Array.from(await masks[path]!.data());

describeEachBackend('pruning', () => {
  it('cuts the smallest magnitudes, over all layers or in each', async () => {
    await expectNoLeak(async () => {
      const params = {
        a: { weight: tf.tensor2d([1, -2, 3, -4], [2, 2]), bias: tf.tensor1d([0.1, 0.2]) },
        b: { weight: tf.tensor2d([0.5, 10, -20, 30], [2, 2]) },
      };
      const everywhere = await magnitudeMasks(params, 0.5);
      expect(Object.keys(everywhere)).toEqual(['a.weight', 'b.weight']);
      expect(await valuesOf(everywhere, 'a.weight')).toEqual([0, 0, 0, 1]);
      expect(await valuesOf(everywhere, 'b.weight')).toEqual([0, 1, 1, 1]);
      const layered = await magnitudeMasks(params, (path) => (path === 'a.weight' ? 0.25 : { count: 3 }), {
        scope: 'layer',
      });
      expect(await valuesOf(layered, 'a.weight')).toEqual([0, 1, 1, 1]);
      expect(await valuesOf(layered, 'b.weight')).toEqual([0, 0, 0, 1]);
      const pruned = applyMasks(params, layered);
      expect(Array.from(await pruned.a.weight.data())).toEqual([0, -2, 3, -4]);
      expect(Array.from(await pruned.b.weight.data())).toEqual([0, 0, 0, 30]); // no −0
      expect(Array.from(await pruned.a.bias.data())).toEqual(Array.from(await params.a.bias.data()));
      expect(await weightSparsity(pruned)).toMatchObject({ size: 8, zeros: 4, sparsity: 0.5 });
      treeDispose([params, everywhere, layered, pruned]);
    });
  });

  it('cuts of what is left when called again, also where a weight that stays is zero', async () => {
    const params = { w: tf.tensor2d([5, 0, 1, 2, 3, 4], [2, 3]) };
    const once = await magnitudeMasks(params, 1 / 3);
    const twice = await magnitudeMasks(params, 0.5, { masks: once });
    expect(await valuesOf(once, 'w')).toEqual([1, 0, 0, 1, 1, 1]);
    expect(await valuesOf(twice, 'w')).toEqual([1, 0, 0, 0, 0, 1]);
    const reached = await magnitudeMasks(params, { sparsity: 5 / 6 }, { masks: once });
    expect(await valuesOf(reached, 'w')).toEqual([1, 0, 0, 0, 0, 0]);
    const all = await magnitudeMasks(params, 1, { masks: once });
    expect(await valuesOf(all, 'w')).toEqual([0, 0, 0, 0, 0, 0]);
    treeDispose([params, once, twice, reached, all]);
  });

  it('random masks have the size asked for, follow their key, and look at no weight', async () => {
    await expectNoLeak(async () => {
      const model = lenet300();
      const params = model.init(key(1));
      const [a, again, b] = await Promise.all(
        [5, 5, 6].map((seed) => randomMasks(params, 0.9, { key: key(seed), scope: 'layer' })),
      );
      for (const { sparsity } of (await weightSparsity(a!)).parameters) expect(sparsity).toBeCloseTo(0.9, 5);
      expect(await valuesOf(a!, 'fc2.weight')).toEqual(await valuesOf(again!, 'fc2.weight'));
      expect(await valuesOf(a!, 'fc2.weight')).not.toEqual(await valuesOf(b!, 'fc2.weight'));
      const kept = applyMasks(params, a!);
      const energy = async (w: tf.Tensor) => ((await w.data()) as Float32Array).reduce((sum, x) => sum + x * x, 0);
      expect((await energy(kept.fc1.weight)) / (await energy(params.fc1.weight))).toBeCloseTo(0.1, 1);
      treeDispose([params, a!, again!, b!, kept]);
    });
  });

  it('snip keeps large |g · w|', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.tensor2d([[1, -10, 3, 0]]) };
      const grads = { w: tf.tensor2d([[-9, 0.1, 2, 100]]) };
      const masks = await snipMasks(params, grads, 0.5);
      expect(await valuesOf(masks, 'w')).toEqual([1, 0, 1, 0]);
      treeDispose([params, grads, masks]);
    });
  });

  it('refuses what makes no sense', async () => {
    const params = { w: tf.tensor2d([[1, Number.NaN]]) };
    await expect(magnitudeMasks(params, 0.5)).rejects.toMatchObject({ code: 'BAD_SCORES' });
    await expect(pruneByScores(params, () => 0.5)).rejects.toThrow(/scope: 'layer'/);
    const masks = { v: tf.ones([1, 2]) };
    expect(() => applyMasks(params, masks)).toThrow(/no parameter 'v'/);
    const other = { w: tf.ones([2, 1]) };
    expect(() => applyMasks(params, other)).toThrow(/\[2,1\]/);
    treeDispose([params, masks, other]);
  });

  it.each(['update', 'step'] as const)(
    'keeps what is cut at zero under Adam with decay and momentum, by %s',
    async (how) => {
      await expectNoLeak(async () => {
        for (const inner of [adamw(1e-2, { weightDecay: 0.1 }), momentum(0.1, { beta: 0.9 })]) {
          const start = { w: randomNormal(key(1), [6, 5]), b: randomNormal(key(2), [5]) };
          const masks = await magnitudeMasks(start, 0.6);
          const optimizer = keepPruned(inner, masks);
          let params: typeof start = treeClone(start);
          let state = optimizer.init(params);
          for (let step = 0; step < 3; step++) {
            const grads = treeMap((leaf) => randomNormal(key(10 + step), leaf.shape), params);
            if (how === 'step') [params, state] = optimizer.step!(grads, state, params, { step });
            else {
              const [updates, next] = optimizer.update(grads, state, params, { step });
              const moved = treeMap((p, u) => tf.add(p, u!), params, updates as Tree);
              treeDispose([params, state, updates as Tree]);
              [params, state] = [moved, next];
            }
            treeDispose(grads);
          }
          const [before, after, mask] = await Promise.all([start.w, params.w, masks.w!].map((t) => t.data()));
          for (let i = 0; i < mask!.length; i++) {
            if (mask![i] === 0)
              expect(after![i]).toBe(0); // not −0
            else expect(after![i]).not.toBe(before![i]);
          }
          treeDispose([start, params, state, masks]);
        }
      });
    },
  );
});

describeEachBackend('keepPruned as an optimizer', () => {
  const skip = { 'converges: Rosenbrock': "the rate is another one; convergence is the inner optimizer's" };
  for (const { name, run } of optimizerContract((rate) => keepPruned(sgd(rate), {}), { skip })) {
    if (!name.startsWith('converges')) it(`without masks: ${name}`, run);
  }

  it('steps as it updates, on parameters that were not masked, variables too', async () => {
    const start = { w: randomNormal(key(1), [4, 3]), b: randomNormal(key(2), [3]) };
    const grads = treeMap((leaf) => randomNormal(key(3), leaf.shape), start);
    const masks = await magnitudeMasks(start, 0.5);
    const optimizer = keepPruned(momentum(0.1, { beta: 0.9 }), masks);
    const [updates, next] = optimizer.update(grads, optimizer.init(start), start, { step: 0 });
    const moved = treeMap((p, u) => tf.add(p, u!), start, updates as Tree);
    const variables = treeMap((p) => tf.variable(p), start);
    const [stepped, after] = optimizer.step!(grads, optimizer.init(start), variables, { step: 0 });
    for (const path of ['w', 'b'] as const) await expectClose(stepped[path], moved[path], 1e-6);
    expect(await weightSparsity(stepped)).toMatchObject({ zeros: 6 });
    treeDispose([start, grads, masks, updates as Tree, next, moved, stepped, after]);
    tf.disposeVariables();
  });
});

describe('schedules and remaining work', () => {
  it('the cubic schedule goes from initial to final, fast at first', () => {
    const schedule = cubicSparsity({ final: 0.9, initial: 0.1, begin: 10, end: 110 });
    expect([0, 10].map(schedule)).toEqual([expect.closeTo(0.1, 12), expect.closeTo(0.1, 12)]);
    expect(schedule(60)).toBeCloseTo(0.9 - 0.8 / 8, 12);
    expect([110, 500].map(schedule)).toEqual([0.9, 0.9]);
    expect(() => cubicSparsity({ final: 0.9, end: 0 })).toThrow(/begin < end/);
  });

  it('the geometric one cuts equal shares: 20 % a round leaves 0.8^k', () => {
    const schedule = geometricSparsity(1 - 0.8 ** 7, 7);
    for (let round = 0; round < 7; round++) expect(schedule(round)).toBeCloseTo(1 - 0.8 ** (round + 1), 12);
    expect(1 - geometricSparsity(1 - 1 / 12, 5)(0)).toBeCloseTo(12 ** -0.2, 12);
  });

  it('remaining work gives the tables of Han et al. for LeNet-300-100', () => {
    // Weights kept 8, 9, 26 %; their inputs are not zero to 100, 38, 65 %. Table: FLOPs 8, 4, 17 %, 8 % in all.
    const flops = [784 * 300, 300 * 100, 100 * 10].map((weights) => 2 * weights);
    const kept: readonly (readonly [number, number])[] = [
      [0.08, 1],
      [0.09, 0.38],
      [0.26, 0.65],
    ];
    const { layers, total } = remainingWork(
      kept.map(([weightDensity, inputDensity], i) => ({ flops: flops[i]!, weightDensity, inputDensity })),
    );
    expect(layers.map((share) => Math.ceil(share * 100))).toEqual([8, 4, 17]);
    expect(Math.round(total * 100)).toBe(8);
    expect(() => remainingWork([{ flops: 1, weightDensity: 2 }])).toThrow(/\[0, 1\]/);
  });
});
