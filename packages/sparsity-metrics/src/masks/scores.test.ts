import { classification, lossFunction, sgd, takeStep } from '@frugal/core-trainer';
import { lenet5, mlp } from '@frugal/nn';
import { key, type Module, randomNormal, type Tree, treeDispose, treeMap } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { graspMasks, synflowMasks } from './init-scores.ts';
import { applyMasks, type Masks, weightSparsity } from './masks.ts';
import { type MovementState, trackMovement } from './movement.ts';
import { patternMasks, patternShare } from './nm.ts';
import { magnitudeMasks, pruneByScores } from './prune.ts';
import { inputNorms, wandaMasks } from './wanda.ts';

const valuesOf = async (masks: Masks, path: string): Promise<number[]> => Array.from(await masks[path]!.data());

describeEachBackend('scores of weights', () => {
  it('movement: −Σ g · w over the steps, by update and by step; cuts what went towards zero', async () => {
    await expectNoLeak(async () => {
      // Gradients that pull the first weight to zero and push the second away from it.
      const grads = { w: tf.tensor2d([[1, -1, 0.5]]) };
      for (const how of ['update', 'step'] as const) {
        const plain = sgd(0.1);
        const optimizer = trackMovement(how === 'step' ? plain : { init: plain.init, update: plain.update });
        expect(optimizer.step !== undefined).toBe(how === 'step' && plain.step !== undefined);
        let params: Tree = { w: tf.tensor2d([[5, 0.2, 1]]) };
        let state: MovementState<Tree> = optimizer.init(params) as never;
        const expected = [0, 0, 0];
        const w = [5, 0.2, 1];
        for (let step = 0; step < 3; step++) {
          for (const [i, g] of [1, -1, 0.5].entries()) {
            expected[i]! -= g * w[i]!;
            w[i]! -= 0.1 * g;
          }
          const [next, own] = takeStep(optimizer as never, grads, state as never, params, { step });
          params = next as Tree;
          state = own as never;
        }
        await expectClose((state.movement as { w: tf.Tensor }).w, expected, 1e-5);
        await expectClose((params as { w: tf.Tensor }).w, w, 1e-6);
        const masks = await pruneByScores(state.movement, 1 / 3);
        expect(await valuesOf(masks, 'w')).toEqual([0, 1, 1]); // by magnitude the second would go
        treeDispose([params, state, masks]);
      }
      treeDispose(grads);
    });
  });

  it('Wanda: |w| · ‖x‖ per unit, with norms seen at the kernels, over several batches and of convolutions', async () => {
    await expectNoLeak(async () => {
      const params = { fc: { weight: tf.tensor2d([1, 4, 2, 1, 3, 2], [3, 2]), bias: tf.zeros([2]) } };
      const x = tf.tensor2d([3, 1, 0.1, 4, 1, 0.1], [2, 3]); // norms 5, √2, 0.14
      const run = (): tf.Tensor =>
        tf.fused.matMul({ a: x, b: params.fc.weight, bias: params.fc.bias, activation: 'relu' });
      const norms = inputNorms(params, run);
      await expectClose(norms['fc.weight']!, [5, Math.SQRT2, 0.1 * Math.SQRT2], 1e-6);
      const masks = await wandaMasks(params, run, { count: 2 });
      // First unit: 5, 2.8, 0.4 against weights 1, 2, 3. Second: 20, 1.4, 0.3.
      expect(await valuesOf(masks, 'fc.weight')).toEqual([1, 1, 0, 0, 0, 0]);
      const model = lenet5();
      const weights = model.init(key(1));
      const images = randomNormal(key(2), [4, 28, 28, 1]);
      const seen = inputNorms(weights, () => [model.apply(weights, images), model.apply(weights, images)]);
      expect(Object.keys(seen).length).toBe(5);
      const first = Object.keys(seen).find((path) => path.includes('conv1'))!;
      const pixels = (await images.data()) as Float32Array;
      const norm = Math.sqrt(2 * pixels.reduce((sum, value) => sum + value * value, 0));
      expect((await seen[first]!.data())[0]).toBeCloseTo(norm, 2);
      const half = await wandaMasks(weights, () => model.apply(weights, images), 0.5);
      for (const { sparsity } of (await weightSparsity(half)).parameters) expect(sparsity).toBeGreaterThan(0.45);
      await expect(wandaMasks(weights, () => tf.zeros([1]), 0.5)).rejects.toThrow(/none of these weights/);
      treeDispose([params, x, norms, masks, weights, images, seen, half]);
    });
  });

  it('GraSP: w · H g, exact where the loss is quadratic', async () => {
    await expectNoLeak(async () => {
      // L = ½ Σ h w²: g = h w, H g = h² w, so scores are h² w².
      const h = tf.tensor2d([[1, 3, 0.1, 2]]);
      const params = { w: tf.tensor2d([[2, 0.5, 9, 0.5]]) };
      const masks = await graspMasks(params, (p) => tf.mul(tf.sum(tf.mul(h, tf.square(p.w))), 0.5), 0.5);
      expect(await valuesOf(masks, 'w')).toEqual([1, 1, 0, 0]); // 4, 2.25, 0.81, 1
      treeDispose([h, params, masks]);
      const model = mlp([6, 8, 3]) as unknown as Module;
      const weights = model.init(key(1));
      const batch = {
        x: randomNormal(key(2), [20, 6]),
        y: tf.tensor1d(
          Array.from({ length: 20 }, (_, i) => i % 3),
          'int32',
        ),
      };
      const loss = lossFunction(model, classification().loss);
      const cut = await graspMasks(weights, (p) => tf.mean(loss(p, batch as never, { train: true })), 0.3);
      expect((await weightSparsity(cut)).sparsity).toBeCloseTo(0.3, 1);
      treeDispose([weights, batch, cut]);
    });
  });

  it('SynFlow: conserves flow, needs no data, and keeps every layer open where one cut closes one', async () => {
    await expectNoLeak(async () => {
      const model = mlp([20, 60, 4, 10]);
      const params = model.init(key(3));
      const sparsity = 0.97;
      const flow = await synflowMasks(model, params, [1, 20], { sparsity });
      const layers = (await weightSparsity(flow)).parameters;
      expect((await weightSparsity(flow)).sparsity).toBeCloseTo(sparsity, 2);
      expect(Math.min(...layers.map(({ size, zeros }) => size - zeros))).toBeGreaterThan(0);
      // The total flow is what a unit's scores sum to on either side of it: check it through the masked net's output.
      const once = await synflowMasks(model, params, [1, 20], { sparsity }, { rounds: 1 });
      const outputs = await Promise.all(
        [flow, once].map(async (masks) => {
          const positive = treeMap((leaf) => tf.abs(leaf), params as Tree) as typeof params;
          const masked = applyMasks(positive, masks);
          const y = tf.tidy(() => tf.sum(model.apply(masked, tf.ones([1, 20]))));
          const value = (await y.data())[0]!;
          treeDispose([positive, masked, y]);
          return value;
        }),
      );
      expect(outputs[0]).toBeGreaterThan(outputs[1]!);
      await expect(synflowMasks(model, params, [1, 20], 0.5, { rounds: 0 })).rejects.toThrow(/rounds/);
      const more = await synflowMasks(model, params, [1, 20], 0.5, { masks: flow, rounds: 5 });
      const [before, after] = [await weightSparsity(flow), await weightSparsity(more)];
      expect(after.size - after.zeros).toBe(Math.round((before.size - before.zeros) / 2));
      treeDispose([params, flow, once, more]);
    });
  });

  it('N:M patterns along the inputs of each unit', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.tensor2d([1, 9, 2, 8, 3, 7, 4, 6], [4, 2]), odd: tf.ones([3, 2]), bias: tf.ones([2]) };
      const masks = await patternMasks(params, { keep: 2, group: 4 });
      expect(Object.keys(masks)).toEqual(['w']);
      expect(await valuesOf(masks, 'w')).toEqual([0, 1, 0, 1, 1, 0, 1, 0]);
      const filter = { f: randomNormal(key(1), [3, 3, 8, 5]) };
      const cut = await patternMasks(filter, { keep: 1, group: 4 });
      const pruned = applyMasks(filter, cut);
      expect(await patternShare(pruned.f, { keep: 1, group: 4 })).toBe(1);
      expect(await patternShare(filter.f, { keep: 1, group: 4 })).toBe(0);
      expect((await weightSparsity(pruned)).sparsity).toBe(0.75);
      // What is kept of a group is its largest: the pattern loses less than any other could.
      const scores = { w: tf.neg(params.w) };
      const scored = await patternMasks(params, { keep: 1, group: 2, scores });
      expect(await valuesOf(scored, 'w')).toEqual([1, 0, 0, 1, 1, 0, 0, 1]);
      await expect(patternMasks(params, { keep: 5, group: 4 })).rejects.toThrow(/keeps 0/);
      await expect(patternMasks(params, { keep: 2, group: 4, prunable: () => true })).rejects.toThrow(
        /no multiple of 4/,
      );
      await expect(patternShare(params.odd, { keep: 2, group: 4 })).rejects.toThrow(/no groups of 4/);
      treeDispose([params, masks, filter, cut, pruned, scores, scored]);
    });
  });

  it('cuts a share of each unit of what is left', async () => {
    const params = { w: tf.tensor2d([1, 4, 2, 3, 3, 2, 4, 1], [4, 2]) };
    const once = await magnitudeMasks(params, 0.25, { scope: 'unit' });
    const twice = await magnitudeMasks(params, { count: 1 }, { scope: 'unit', masks: once });
    expect(await valuesOf(twice, 'w')).toEqual([0, 1, 0, 1, 1, 0, 1, 0]);
    treeDispose([params, once, twice]);
  });
});
