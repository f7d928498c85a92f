import * as nn from '@frugal/nn';
import { key, type Module, randomNormal, type Tree, treeDispose, treeMap, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { applyMasks } from '../masks/masks.ts';
import { compact } from './compact.ts';
import { activationScores, gradientScores, unitsAbove } from './unit-scores.ts';
import { pruneUnits, unitMasks } from './units.ts';

const conv = nn.sequential({
  conv: nn.wrap(nn.conv2d(1, 4, 3), { after: [nn.relu()] }),
  fc: nn.wrap(nn.dense(4 * 9, 6), { before: [nn.flatten()], after: [nn.relu()] }),
  out: nn.dense(6, 3),
});

function noisy<P extends Tree>(model: Module<P>): P {
  const params = model.init(key(1));
  const moved = treeMap((leaf) => tf.tidy(() => tf.add(leaf, tf.mul(0.1, randomNormal(key(2), leaf.shape)))), params);
  treeDispose(params);
  return moved as P;
}

describeEachBackend('scores of units', () => {
  it('by activation are the norms of what each unit says', async () => {
    await expectNoLeak(async () => {
      const params = noisy(conv);
      const x = randomNormal(key(3), [7, 5, 5, 1]);
      const said = new Map<string, tf.Tensor>();
      const taps = { set: (path: string, y: tf.Tensor) => void said.set(path, tf.keep(y.clone())) };
      conv.apply(params, x, { train: false, taps }).dispose();
      const scores = await activationScores(conv, params, () => conv.apply(params, x));
      expect(Object.keys(scores)).toEqual(['conv', 'fc']);
      for (const [path, values] of Object.entries(scores)) {
        const y = said.get(path)!;
        const norm = tf.tidy(() => tf.sqrt(tf.sum(tf.square(tf.reshape(y, [-1, y.shape.at(-1)!])), 0)));
        await expectClose(norm, values, 1e-5);
        norm.dispose();
      }
      tf.dispose([params, x, ...said.values()] as tf.TensorContainer);
    });
  });

  it('by gradient are |Σ a · ∂L/∂a|: how the loss changes with the scale of a unit', async () => {
    await expectNoLeak(async () => {
      const params = noisy(conv);
      const x = randomNormal(key(3), [7, 5, 5, 1]);
      const loss = (p: Tree): tf.Tensor => tf.mean(tf.square(conv.apply(p as never, x)));
      const [value, grads] = valueAndGrad(loss)(params as Tree);
      const scores = await gradientScores(conv, params, grads);
      // The oracle scales what each unit says by a gate and differentiates by the gate.
      const gates = { conv: tf.ones([4]), fc: tf.ones([6]) };
      const gated = (g: Tree): tf.Tensor => {
        const { conv: a, fc: b } = g as typeof gates;
        const h = tf.mul(
          tf.relu(tf.add(tf.conv2d(x as tf.Tensor4D, params.conv.weight, 1, 'valid'), params.conv.bias!)),
          a,
        );
        const flat = tf.reshape(h, [7, 36]);
        const k = tf.mul(tf.relu(tf.add(tf.matMul(flat, params.fc.weight), params.fc.bias!)), b);
        return tf.mean(tf.square(tf.add(tf.matMul(k, params.out.weight), params.out.bias!)));
      };
      const [same, slopes] = valueAndGrad(gated)(gates as Tree);
      await expectClose(same, value, 1e-5);
      for (const [path, slope] of Object.entries(slopes as typeof gates)) {
        const size = tf.abs(slope);
        await expectClose(size, scores[path]!, 1e-4);
        size.dispose();
      }
      treeDispose([params, x, value, grads, gates, same, slopes]);
    });
  });

  it('find dead units, which may go without a change of the output', async () => {
    const model = nn.mlp([4, 8, 3]);
    const first = noisy(model);
    // Units 1 and 5 see a bias that no input overcomes.
    const bias = tf.tensor1d([0.1, -1e3, 0.1, 0.1, 0.1, -1e3, 0.1, 0.1]);
    const params = [{ ...first[0]!, bias }, first[1]!];
    const x = randomNormal(key(4), [50, 4]);
    const scores = await activationScores(model, params, () => model.apply(params, x));
    const kept = unitsAbove(scores);
    expect(kept).toEqual({ 0: [0, 2, 3, 4, 6, 7] });
    const small = await compact(model, params, { nn, kept });
    const [y, expected] = [small.model.apply(small.params, x), model.apply(params, x)];
    await expectClose(y, expected, 1e-5);
    treeDispose([first, bias, x, small.params, y, expected]);
  });

  it('cut less harmfully by activation than the other way round', async () => {
    const params = noisy(conv);
    const x = randomNormal(key(5), [40, 5, 5, 1]);
    const scores = await activationScores(conv, params, () => conv.apply(params, x));
    const turned = Object.fromEntries(Object.entries(scores).map(([path, values]) => [path, values.map((v) => -v)]));
    const before = conv.apply(params, x);
    const errors = [];
    for (const own of [scores, turned]) {
      const masks = unitMasks(conv, params, await pruneUnits(conv, params, 0.5, { scores: own }));
      const masked = applyMasks(params, masks);
      const error = tf.tidy(() => tf.norm(tf.sub(conv.apply(masked, x), before)));
      errors.push((await error.data())[0]!);
      treeDispose([masks, masked, error]);
    }
    expect(errors[0]!).toBeLessThan(0.8 * errors[1]!);
    treeDispose([params, x, before]);
  });

  it('say when the parameters are others', async () => {
    const model = nn.mlp([4, 8, 3]);
    const [params, other] = [model.init(key(1)), model.init(key(2))];
    const x = randomNormal(key(4), [2, 4]);
    await expect(activationScores(model, other, () => model.apply(params, x))).rejects.toMatchObject({
      code: 'NO_INPUTS',
    });
    await expect(gradientScores(model, params, { nothing: x })).rejects.toMatchObject({ code: 'TREE_MISMATCH' });
    treeDispose([params, other, x]);
  });
});

describe('unitsAbove', () => {
  it('takes a share of the mean of each layer, and leaves each its best', () => {
    const scores = { a: Float32Array.of(0, 1, 2, 5), b: Float32Array.of(0, 0) };
    expect(unitsAbove(scores)).toEqual({ a: [1, 2, 3], b: [0] });
    expect(unitsAbove(scores, 0.6)).toEqual({ a: [2, 3], b: [0] });
    expect(() => unitsAbove(scores, -1)).toThrow(/share must be at least 0/);
    expect(() => unitsAbove({ a: Float32Array.of(1, Number.NaN) })).toThrow(/NaN/);
  });
});
