import { adam, takeStep } from '@frugal/core-trainer';
import { lenet300, mlp } from '@frugal/nn';
import { key, randomNormal, type Tree, treeClone, treeDispose, treeMap } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { applyMasks, type Masks, weightSparsity } from './masks.ts';
import { erdosRenyiMasks, regrowMasks, regrowthShare, sparseFromStart } from './regrow.ts';
import { geometricSparsity } from './schedule.ts';
import { lotteryTickets, shuffleMasks } from './tickets.ts';

const valuesOf = async (masks: Masks, path: string): Promise<number[]> => Array.from(await masks[path]!.data());
const gradsLike = <P extends Tree>(params: P, seed: number): P => {
  let i = 0;
  return treeMap((leaf) => randomNormal(key(100 * seed + i++), leaf.shape), params as Tree) as P;
};

describeEachBackend('sparse from the start', () => {
  it('RigL drops the smallest weights and grows where the gradient is largest; SET anywhere', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.tensor2d([[5, 1, 3, 0, 0, 0, 0, 0]]) };
      const masks = { w: tf.tensor2d([[1, 1, 1, 0, 0, 0, 0, 0]]) };
      const grads = { w: tf.tensor2d([[9, 0.1, 9, 1, -4, 2, 0, 3]]) };
      const rigl = await regrowMasks(params, masks, 1 / 3, { grads });
      expect(await valuesOf(rigl, 'w')).toEqual([1, 0, 1, 0, 1, 0, 0, 0]);
      const set = await regrowMasks(params, masks, 2 / 3, { key: key(3) });
      const values = await valuesOf(set, 'w');
      expect(values.reduce((a, b) => a + b)).toBe(3);
      expect(values[0]).toBe(1);
      const again = await regrowMasks(params, masks, 2 / 3, { key: key(3) });
      expect(await valuesOf(again, 'w')).toEqual(values);
      const none = await regrowMasks(params, masks, 0, { grads });
      expect(await valuesOf(none, 'w')).toEqual(await valuesOf(masks, 'w'));
      await expect(regrowMasks(params, masks, 2, { grads })).rejects.toThrow(/share/);
      treeDispose([params, masks, grads, rigl, set, again, none]);
    });
    expect([0, 50, 100, 200].map(regrowthShare({ share: 0.4, end: 100 }))).toEqual([0.4, expect.closeTo(0.2), 0, 0]);
  });

  it('Erdős–Rényi: small layers stay dense, the whole reaches its sparsity', async () => {
    await expectNoLeak(async () => {
      const params = lenet300().init(key(1));
      const masks = await erdosRenyiMasks(params, 0.9, { key: key(2) });
      const { parameters, sparsity } = await weightSparsity(masks);
      expect(sparsity).toBeCloseTo(0.9, 3);
      const [fc1, fc2, fc3] = parameters.map((one) => 1 - one.sparsity);
      expect(fc3).toBe(1);
      // Densities go as (inputs + outputs) ÷ (inputs · outputs).
      expect(fc1! / fc2!).toBeCloseTo((784 + 300) / (784 * 300) / (400 / (300 * 100)), 2);
      await expect(erdosRenyiMasks(params, 1, { key: key(2) })).rejects.toThrow(/sparsity/);
      treeDispose([params, masks]);
    });
  });

  it('masks move while a net is trained, what is cut is zero at every step, and as many weights stay', async () => {
    await expectNoLeak(async () => {
      const model = mlp([6, 10, 4]);
      const dense = model.init(key(1));
      const asked: number[] = [];
      const training = sparseFromStart(await erdosRenyiMasks(dense, 0.6, { key: key(2) }), {
        every: 4,
        share: regrowthShare({ share: 0.5, end: 12 }),
        grow: (params, step) => {
          asked.push(step);
          return gradsLike(params, step);
        },
      });
      const first = treeClone(training.masks);
      const optimizer = training.optimizer(adam(0.1));
      let params = applyMasks(dense, training.masks);
      let state = optimizer.init(params);
      const left = (await weightSparsity(training.masks)).zeros;
      for (let step = 0; step < 14; step++) {
        const grads = gradsLike(params, step);
        [params, state] = takeStep(optimizer, grads, state, params, { step });
        treeDispose(grads);
        const before = applyMasks(params, training.masks);
        await expectClose(before['0']!.weight, params['0']!.weight, 0);
        treeDispose(before);
        const event = { type: 'step' as const, time: 0, step: step + 1, epoch: 0, loss: 1, examples: 1, metrics: {} };
        await training.hook.onEvent(event, { params });
        await training.hook.onEvent({ type: 'note', time: 0, step, message: '' }, { params });
      }
      expect(asked).toEqual([4, 8]);
      expect((await weightSparsity(training.masks)).zeros).toBe(left);
      expect(await valuesOf(training.masks, '0.weight')).not.toEqual(await valuesOf(first, '0.weight'));
      training.dispose();
      treeDispose([dense, first, params, state]);
    });
  });
});

describeEachBackend('lottery tickets', () => {
  it('each round cuts what training left, and goes back to where it began', async () => {
    await expectNoLeak(async () => {
      const first = { w: tf.tensor2d([[1, -2, 3, -4, 5, -6, 7, -8]]), bias: tf.tensor1d([1]) };
      const trained = { w: tf.tensor2d([[8, 7, 6, 5, 4, 3, 2, 1]]), bias: tf.tensor1d([2]) };
      const seen: number[][] = [];
      const search = lotteryTickets(trained, {
        sparsities: [0, 1].map(geometricSparsity(0.75, 2)),
        rewindTo: first,
        train: async (start, masks) => {
          seen.push(Array.from(await start.w.data()));
          // Turns the order round, so that the next round cuts the others.
          const w = tf.tidy(() => tf.mul(masks['w']!, tf.tensor2d([[1, 2, 3, 4, 5, 6, 7, 8]])));
          return { w: w as tf.Tensor2D, bias: start.bias.clone() };
        },
      });
      const rounds: [number, number, number[]][] = [];
      for await (const { round, sparsity, masks } of search) rounds.push([round, sparsity, await valuesOf(masks, 'w')]);
      expect(rounds).toEqual([
        [0, 0.5, [1, 1, 1, 1, 0, 0, 0, 0]],
        [1, 0.75, [0, 0, 1, 1, 0, 0, 0, 0]],
      ]);
      expect(seen).toEqual([
        [1, -2, 3, -4, 0, 0, 0, 0],
        [0, 0, 3, -4, 0, 0, 0, 0],
      ]);
      for await (const _ of lotteryTickets(trained, {
        sparsities: [0.5, 0.6],
        rewindTo: first,
        train: async (p) => treeClone(p),
      }))
        break;
      treeDispose([first, trained]);
    });
  });

  it('shuffled masks cut as many of each layer, but others', async () => {
    await expectNoLeak(async () => {
      const masks = {
        a: tf.tensor2d([Array.from({ length: 40 }, (_, i) => (i < 10 ? 1 : 0))]),
        b: tf.tensor1d([1, 1, 0]),
      };
      const shuffled = await shuffleMasks(masks, key(1));
      const [a, b] = [await valuesOf(shuffled, 'a'), await valuesOf(shuffled, 'b')];
      expect(a.reduce((x, y) => x + y)).toBe(10);
      expect(b.reduce((x, y) => x + y)).toBe(2);
      expect(a).not.toEqual(await valuesOf(masks, 'a'));
      expect(await shuffleMasks({}, key(1))).toEqual({});
      treeDispose([masks, shuffled]);
    });
  });
});
