import * as nn from '@frugal/nn';
import {
  key,
  type Module,
  randomNormal,
  type Staged,
  type Tree,
  treeDispose,
  treeMap,
  treeSize,
  valueAndGrad,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { growUnits } from './grow.ts';

function initialised(model: Module<Tree>): Tree {
  const params = model.init(key(1));
  const moved = treeMap((leaf) => tf.tidy(() => tf.add(leaf, tf.mul(0.1, randomNormal(key(2), leaf.shape)))), params);
  treeDispose(params);
  return moved;
}

const models: Record<string, [model: Staged<Tree>, input: number[], units: Record<string, number>]> = {
  'LeNet-5': [nn.lenet5() as never, [28, 28, 1], { conv1: 3, conv2: 20, fc1: 5, fc2: 90 }],
  'an mlp, one layer': [nn.mlp([6, 5, 7, 3]) as never, [6], { 1: 4 }],
};

describeEachBackend('growing', () => {
  for (const [name, [model, input, units]] of Object.entries(models)) {
    for (const how of ['split', 'new'] as const) {
      it(`${name}, ${how}: says what it said, and has more units that can learn`, async () => {
        await expectNoLeak(async () => {
          const params = initialised(model);
          const x = randomNormal(key(3), [4, ...input]);
          const grown = await growUnits(model, params, units, { nn, key: key(4), how });
          expect(treeSize(grown.params)).toBeGreaterThan(treeSize(params));
          const [y, expected] = [grown.model.apply(grown.params, x), model.apply(params, x)];
          await expectClose(y, expected, 2e-5);
          const fresh = grown.model.init(key(5));
          expect(treeMap((leaf) => leaf.shape as never, grown.params)).toEqual(
            treeMap((leaf) => leaf.shape as never, fresh),
          );
          treeDispose([params, x, y, expected, grown.params, fresh]);
        });
      });
    }
  }

  it('split units part ways: the weights that lead into copies get other gradients', async () => {
    const model = nn.mlp([4, 1, 3]) as unknown as Staged<Tree>;
    const params = initialised(model);
    const grown = await growUnits(model, params, { 0: 1 }, { nn, key: key(7) });
    const x = randomNormal(key(3), [16, 4]);
    const loss = (p: Tree): tf.Tensor => tf.mean(tf.square(tf.sub(grown.model.apply(p, x), 1)));
    const [value, grads] = valueAndGrad(loss)(grown.params);
    const slopes = await (grads as { weight: tf.Tensor }[])[0]!.weight.data();
    const ratios = [0, 1, 2, 3].map((i) => slopes[2 * i + 1]! / slopes[2 * i]!);
    expect(ratios.every((ratio) => Math.abs(ratio - 1) > 1e-3)).toBe(true);
    treeDispose([params, grown.params, x, value, grads]);
  });

  it('refuses other layers and counts', async () => {
    const model = nn.mlp([4, 2, 3]) as unknown as Staged<Tree>;
    const params = model.init(key(1));
    await expect(growUnits(model, params, { 1: 1 }, { nn, key: key(1) })).rejects.toThrow(/for one of 0/);
    await expect(growUnits(model, params, { 0: -1 }, { nn, key: key(1) })).rejects.toThrow(/is -1/);
    treeDispose(params);
  });
});
