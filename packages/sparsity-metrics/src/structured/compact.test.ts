import * as nn from '@frugal/nn';
import {
  key,
  meter,
  randomNormal,
  randomUniform,
  type Staged,
  type Tree,
  treeDispose,
  treeMap,
  treeSize,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { applyMasks } from '../masks/masks.ts';
import { magnitudeMasks } from '../masks/prune.ts';
import { compact } from './compact.ts';
import { pruneUnits, unitMasks } from './units.ts';

/** Parameters of a model whose biases are not zero either. */
function initialised<P extends Tree>(model: { init(k: ReturnType<typeof key>): P }): P {
  const params = model.init(key(1));
  const noisy = treeMap(
    (leaf) => tf.tidy(() => tf.add(leaf, tf.mul(0.1, randomNormal(key(2), leaf.shape)))),
    params,
  ) as P;
  treeDispose(params);
  return noisy;
}

const image = [28, 28, 1];
const models: Record<string, [model: Staged<Tree>, input: number[]]> = {
  mlp: [nn.mlp([20, 16, 12, 5]) as never, [20]],
  'mlp with tanh and dropout': [nn.mlp([20, 16, 5], { activation: 'tanh', dropout: 0.1 }) as never, [20]],
  'LeNet-300-100': [nn.lenet300() as never, image],
  'LeNet-5': [nn.lenet5() as never, image],
  'LeNet-5 of separate layers': [nn.lenet5({ pool: 'avg', padding: ['valid', 'same'] }) as never, image],
  'strides, dilation and global pooling': [
    nn.sequential([
      nn.conv2d(3, 8, 3, { strides: 2, padding: 1, bias: false }),
      nn.relu(),
      nn.conv2d(8, 6, 3, { dilation: 2, padding: 'same' }),
      nn.activation('silu'),
      nn.globalAvgPool(),
      nn.dense(6, 4),
    ]) as never,
    [11, 9, 3],
  ],
};

describeEachBackend('compaction', () => {
  for (const [name, [model, input]] of Object.entries(models)) {
    it(`${name}: equal to the masked model, and really smaller`, async () => {
      await expectNoLeak(async () => {
        const params = initialised(model);
        const x = randomNormal(key(3), [3, ...input]);
        const kept = await pruneUnits(model, params, 0.5);
        const masks = unitMasks(model, params, kept);
        const masked = applyMasks(params, masks);
        for (const options of [{ nn, kept }, { nn }]) {
          const small = await compact(model, masked, options);
          expect(small.kept).toEqual(kept); // found again from the zeros alone
          const expected = meter(() => model.apply(masked, x));
          const got = meter(() => small.model.apply(small.params, x));
          await expectClose(got.result, expected.result, 1e-5);
          expect(treeSize(small.params)).toBeLessThan(0.7 * treeSize(params));
          expect(got.flops).toBeLessThan(0.8 * expected.flops);
          expect(got.kernels.map(({ kernel }) => kernel).sort()).toEqual(
            expected.kernels.map(({ kernel }) => kernel).sort(),
          );
          const fresh = small.model.init(key(5));
          expect(treeSize(fresh)).toBe(treeSize(small.params));
          treeDispose([small.params, fresh, expected.result, got.result]);
        }
        treeDispose([params, x, masks, masked]);
      });
    });
  }

  it('does not compute what was cut: NaN there does no harm', async () => {
    const model = nn.mlp([4, 6, 3]);
    const params = initialised(model);
    const kept = { 0: [1, 4] };
    const poison = unitMasks(model, params, kept);
    const poisoned = treeMap((leaf) => leaf.clone(), params);
    const holes = applyMasks(params, poison);
    const nan = tf.tidy(() => tf.where(tf.equal(holes[0]!.weight, 0), Number.NaN, holes[0]!.weight));
    const tree = [{ ...poisoned[0]!, weight: nan as tf.Tensor2D }, poisoned[1]!];
    const small = await compact(model, tree, { nn, kept });
    const x = randomNormal(key(4), [2, 4]);
    const [y, expected] = [small.model.apply(small.params, x), model.apply(holes, x)];
    await expectClose(y, expected, 1e-5);
    treeDispose([params, poison, poisoned, holes, nan, small.params, x, y, expected]);
  });

  it('removes what weight-by-weight pruning left unreachable, in chains', async () => {
    const model = nn.mlp([3, 3, 3, 2]);
    const full = model.init(key(1));
    // Unit 0 of the second layer reads only unit 1 of the first; nobody reads unit 0 of the second.
    const second = tf.tensor2d([0, 1, 1, 5, 0, 0, 0, 1, 1], [3, 3]);
    const third = tf.tensor2d([0, 0, 1, 1, 1, 1], [3, 2]);
    const params = [full[0]!, { ...full[1]!, weight: second }, { ...full[2]!, weight: third }];
    const small = await compact(model, params, { nn });
    expect(small.kept).toEqual({ 0: [0, 2], 1: [1, 2] });
    const x = randomUniform(key(2), [4, 3]);
    const [y, expected] = [small.model.apply(small.params, x), model.apply(params, x)];
    await expectClose(y, expected, 1e-5);
    treeDispose([full, second, third, small.params, x, y, expected]);
  });

  it('of a LeNet-300-100 pruned to 2 % many neurons go, and the output stays', async () => {
    const model = nn.lenet300();
    const params = initialised(model);
    const masks = await magnitudeMasks(params, { sparsity: 0.995 }, { prunable: () => true });
    const pruned = applyMasks(params, masks);
    const small = await compact(model, pruned, { nn });
    expect(small.kept.fc1!.length).toBeLessThan(300);
    const x = randomNormal(key(4), [2, 784]);
    const [y, expected] = [small.model.apply(small.params, x), model.apply(pruned, x)];
    await expectClose(y, expected, 1e-5);
    treeDispose([params, masks, pruned, small.params, x, y, expected]);
  });

  it('leaves alone what it cannot cut: residuals, norms, sigmoid, foreign modules', async () => {
    const foreign = { init: () => ({}), apply: (_: object, x: tf.Tensor) => tf.reverse(x, -1) };
    const model = nn.sequential({
      a: nn.dense(4, 5),
      sigmoid: nn.sigmoid(),
      b: nn.dense(5, 6),
      foreign,
      c: nn.dense(6, 7),
      relu: nn.relu(),
      d: nn.dense(7, 4),
      rest: nn.residual(nn.dense(4, 4)),
    });
    const params = initialised(model as never) as never;
    const kept = await pruneUnits(model, params, 0.4);
    expect(Object.keys(kept)).toEqual(['c']);
    const small = await compact(model, params, { nn, kept });
    const masks = unitMasks(model, params, kept);
    const masked = applyMasks(params, masks);
    const x = randomNormal(key(4), [2, 4]);
    const [y, expected] = [small.model.apply(small.params, x), model.apply(masked, x)];
    await expectClose(y, expected, 1e-5);
    treeDispose([params, small.params, masks, masked, x, y, expected]);
  });

  it('ranks all units together, keeps one in each layer, and takes scores of your own', async () => {
    const model = nn.mlp([2, 3, 3, 2]);
    const params = model.init(key(1));
    const scores = { 0: [1, 2, 3], 1: [10, 30, 20] };
    expect(await pruneUnits(model, params, { count: 2 }, { scope: 'global', scores })).toEqual({
      0: [2],
      1: [0, 1, 2],
    });
    expect(await pruneUnits(model, params, { count: 5 }, { scope: 'global', scores })).toEqual({
      0: [2],
      1: [1],
    });
    const kept = await pruneUnits(model, params, { count: 1 }, { scores });
    expect(kept).toEqual({ 0: [1, 2], 1: [1, 2] });
    expect(await pruneUnits(model, params, 0.5, { scores, kept })).toEqual({ 0: [2], 1: [1] });
    await expect(pruneUnits(model, params, 0.5, { scores: { 0: [1] } })).rejects.toThrow(/3 numbers, got 1/);
    await expect(compact(model, params, { nn, kept: { 2: [0] } })).rejects.toThrow(/those are 0, 1/);
    await expect(compact(model, params, { nn, kept: { 0: [] } })).rejects.toThrow(/at least one unit/);
    await expect(compact(nn.sequential([nn.dense(2, 2)]) as never, params, { nn })).rejects.toMatchObject({
      code: 'NOT_PRUNABLE',
    });
    treeDispose(params);
  });
});
