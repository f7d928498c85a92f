import { createState, treeDispose } from '@frugal/tensor';
import {
  describeEachBackend,
  expectClose,
  expectGradient,
  expectNoLeak,
  layerOutput,
  normalTensor,
} from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { batchNorm } from './batch-norm.ts';
import { groupNorm } from './group-norm.ts';
import { layerNorm, rmsNorm } from './layer-norm.ts';

const affine = (features: number) => ({
  weight: normalTensor<tf.Rank.R1>(11, [features]),
  bias: normalTensor<tf.Rank.R1>(12, [features]),
});

/** (x − mean) ÷ √(variance + 1e-5) over groups of indices, in doubles. */
function plainNormalize(
  x: ArrayLike<number>,
  groupOf: (index: number) => number,
): { y: number[]; groups: Map<number, { mean: number; variance: number; n: number }> } {
  const members = new Map<number, number[]>();
  for (let i = 0; i < x.length; i++) members.set(groupOf(i), [...(members.get(groupOf(i)) ?? []), x[i]!]);
  const groups = new Map(
    [...members].map(([group, values]) => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
      return [group, { mean, variance, n: values.length }];
    }),
  );
  const y = Array.from(x, (value, i) => {
    const { mean, variance } = groups.get(groupOf(i))!;
    return (value - mean) / Math.sqrt(variance + 1e-5);
  });
  return { y, groups };
}

describeEachBackend('norms', () => {
  it('layer norm equals the tfjs layer', async () => {
    await expectNoLeak(async () => {
      const [x, params] = [normalTensor(1, [3, 4, 6]), affine(6)];
      const y = layerNorm(6, { epsilon: 1e-3 }).apply(params, x);
      const expected = layerOutput(tfl.layers.layerNormalization({ epsilon: 1e-3 }), x, [params.weight, params.bias]);
      await expectClose(y, expected, 1e-5);
      treeDispose([x, y, expected, params]);
    });
  });

  it('rms norm equals its formula', async () => {
    await expectNoLeak(async () => {
      const [x, { weight, bias }] = [normalTensor(1, [5, 6]), affine(6)];
      const y = rmsNorm(6).apply({ weight }, x);
      const [values, scales] = [Array.from(await x.data()), await weight.data()];
      const expected = values.map((value, i) => {
        const row = values.slice(i - (i % 6), i - (i % 6) + 6);
        return (value / Math.sqrt(row.reduce((a, b) => a + b * b, 0) / 6 + 1e-5)) * scales[i % 6]!;
      });
      await expectClose(y, expected, 1e-5);
      treeDispose([x, y, weight, bias]);
    });
  });

  it('group norm equals its formula', async () => {
    await expectNoLeak(async () => {
      const [x, params] = [normalTensor(1, [2, 3, 3, 6]), affine(6)];
      const y = groupNorm(3, 6).apply(params, x);
      const [scales, offsets] = [await params.weight.data(), await params.bias.data()];
      const { y: plain } = plainNormalize(await x.data(), (i) => Math.floor(i / 54) * 3 + Math.floor((i % 6) / 2));
      await expectClose(y, plain.map((v, i) => v * scales[i % 6]! + offsets[i % 6]!), 1e-5); // biome-ignore format: short
      expect(() => groupNorm(4, 6)).toThrow(/groups must divide features, got 4 and 6/);
      treeDispose([x, y, params]);
    });
  });

  it('batch norm in training uses the batch, and records running statistics', async () => {
    await expectNoLeak(async () => {
      const [layer, params, state] = [batchNorm(3), affine(3), createState()];
      const x = normalTensor(1, [4, 2, 2, 3]);
      const y = layer.apply(params, x, { train: true, state, path: 'bn' });
      const { y: plain, groups } = plainNormalize(await x.data(), (i) => i % 3);
      const [scales, offsets] = [await params.weight.data(), await params.bias.data()];
      await expectClose(y, plain.map((v, i) => v * scales[i % 3]! + offsets[i % 3]!), 1e-5); // biome-ignore format: short
      const stats = [0, 1, 2].map((c) => groups.get(c)!);
      await expectClose(state.get('bn.running_mean')!, stats.map(({ mean }) => 0.1 * mean), 1e-6); // biome-ignore format: short
      const running = stats.map(({ variance, n }) => 0.9 + (0.1 * variance * n) / (n - 1));
      await expectClose(state.get('bn.running_var')!, running, 1e-6);
      const again = layer.apply(params, x, { train: true, state, path: 'bn' });
      await expectClose(state.get('bn.running_mean')!, stats.map(({ mean }) => 0.19 * mean), 1e-6); // biome-ignore format: short
      state.dispose();
      treeDispose([x, y, again, params]);
    });
  });

  it('batch norm at inference equals the tfjs layer with the same statistics', async () => {
    await expectNoLeak(async () => {
      const [layer, params, x] = [batchNorm(3, { epsilon: 1e-3 }), affine(3), normalTensor(1, [4, 5, 3])];
      const [mean, variance] = [tf.tensor1d([0.5, -1, 2]), tf.tensor1d([0.3, 2, 1])];
      const state = createState({ running_mean: mean, running_var: variance });
      const y = layer.apply(params, x, { train: false, state });
      const other = tfl.layers.batchNormalization({ epsilon: 1e-3 });
      const expected = layerOutput(other, x, [params.weight, params.bias, mean, variance]);
      await expectClose(y, expected, 1e-5);
      const fresh = createState();
      const untouched = layer.apply(params, x, { train: false, state: fresh });
      expect(fresh.size).toBe(0);
      state.dispose();
      treeDispose([x, y, untouched, expected, mean, variance, params]);
    });
  });

  it('batch norm follows Keras where asked: plain variances and its own momentum', async () => {
    await expectNoLeak(async () => {
      const layer = batchNorm(2, { momentum: 0.01, unbiased: false, affine: false });
      const [x, state] = [tf.tensor2d([1, 5, 3, 5], [2, 2]), createState()];
      const y = layer.apply({}, x, { train: true, state });
      await expectClose(state.get('running_var')!, [0.99 + 0.01 * 1, 0.99], 1e-6);
      await expectClose(y, [-1, 0, 1, 0], 1e-4);
      state.dispose();
      treeDispose([x, y]);
    });
  });

  it('batch norm says what it lacks', async () => {
    await expectNoLeak(() => {
      const [layer, params, x] = [batchNorm(2), affine(2), tf.zeros([1, 2])];
      expect(() => layer.apply(params, x)).toThrow(/needs running statistics at inference.*createState/);
      expect(() => layer.apply(params, x, { train: true, path: 'a.bn' })).toThrow(/'a\.bn' got one value per channel/);
      treeDispose([params, x]);
    });
  });

  const p = () => ({ ...affine(6), x: normalTensor(5, [3, 2, 2, 6]) });
  const gradients: [string, (tree: ReturnType<typeof p>) => tf.Tensor][] = [
    ['layer', (tree) => layerNorm(6).apply(tree, tree.x)],
    ['rms', (tree) => tf.add(rmsNorm(6).apply(tree, tree.x), tree.bias)],
    ['group', (tree) => groupNorm(2, 6).apply(tree, tree.x)],
    ['batch', (tree) => batchNorm(6).apply(tree, tree.x, { train: true })],
  ];
  for (const [name, f] of gradients) {
    it(`${name} norm has the right gradients`, async () => {
      const tree = p();
      await expectNoLeak(() => expectGradient(f, tree));
      treeDispose(tree);
    });
  }
});
