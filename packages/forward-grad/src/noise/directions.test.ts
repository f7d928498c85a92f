import { conv2d, embedding, mlp } from '@frugal/nn';
import {
  jvp,
  jvpMany,
  key,
  type Module,
  randomIntegers,
  randomNormal,
  type Tree,
  treeDispose,
  treeMaterialize,
} from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { Directions, directionSettings } from './directions.ts';

const models: [string, Module, () => tf.Tensor][] = [
  ['dense layers', mlp([5, 4, 3], { activation: 'tanh' }) as Module, () => randomNormal(key(1), [6, 5])],
  ['a convolution', conv2d(2, 3, 3, { padding: 'same' }) as Module, () => randomNormal(key(1), [2, 5, 4, 2])],
  ['an embedding', embedding(7, 4) as Module, () => randomIntegers(key(1), [3, 2], { max: 7 })],
];

describeEachBackend('directions', () => {
  for (const directions of [1, 3]) {
    it.each(models)(
      `of rank one give the tangents of dense ones through %s, K = ${directions}`,
      async (_, model, make) => {
        await expectNoLeak(async () => {
          const params = model.init(key(2));
          const x = make();
          const sampled = new Directions(params, key(3), directionSettings({ directions }));
          const dense = treeMaterialize(sampled.tangents as never);
          const f = (p: Tree) => model.apply(p, x);
          const run = directions === 1 ? jvp : jvpMany;
          const [a, structured] = run(f, [params], [sampled.tangents]);
          const [b, expected] = run(f, [params], [dense]);
          expect(structured.shape).toEqual(expected.shape);
          await expectClose(structured, expected, 2e-5);
          sampled.dispose();
          treeDispose([params, x, dense, a, b, structured, expected]);
        });
      },
    );
  }

  it('combine and shift alike, structured or dense, in place and not', async () => {
    await expectNoLeak(async () => {
      const params = {
        w: randomNormal(key(1), [4, 3]),
        f: randomNormal(key(2), [2, 2, 1, 3]),
        b: randomNormal(key(3), [3]),
      };
      for (const structure of ['rankOne', 'dense'] as const) {
        const sampled = new Directions(
          params,
          key(4),
          directionSettings({ directions: 2, structure, noise: 'normal' }),
        );
        const tangents = treeMaterialize(sampled.tangents as never) as typeof params;
        const weights = tf.tensor1d([0.5, -2]);
        const grads = sampled.gradient(weights) as never;
        const dense = treeMaterialize(grads) as typeof params;
        const moved = sampled.shifted(params, 1, 0.25);
        for (const name of ['w', 'f', 'b'] as const) {
          const expected = tf.tidy(() => tf.dot(weights, tf.reshape(tangents[name], [2, -1])));
          await expectClose(dense[name], expected);
          const shifted = tf.tidy(() => tf.add(params[name], tf.mul(tf.gather(tangents[name], 1), 0.25)));
          await expectClose(moved[name], shifted);
          treeDispose([expected, shifted]);
        }
        sampled.dispose();
        treeDispose([tangents, weights, dense, moved]);
        treeDispose(grads);
      }
      treeDispose(params);
    });
  });

  it('are orthonormal in expectation for any structure: G = VᵀV has E[G] = d·I', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.zeros([6, 5]), b: tf.zeros([5]) };
      for (const structure of ['rankOne', 'dense'] as const) {
        const sampled = new Directions(params, key(4), directionSettings({ directions: 400, structure }));
        const gram = sampled.gram();
        const g = (await gram.data()) as Float32Array;
        let [off, square] = [0, 0];
        for (let i = 0; i < 400; i++) {
          expect(g[401 * i]).toBe(35); // signs: exactly d
          for (let j = 0; j < i; j++) {
            off += g[400 * i + j]!;
            square += g[400 * i + j]! ** 2;
          }
        }
        const pairs = (400 * 399) / 2;
        // (vₐ·v_b) has mean 0 and variance d, of which the mean over pairs keeps about 1/400.
        expect(Math.abs(off / pairs)).toBeLessThan(4 * Math.sqrt(35 / pairs) + 0.1);
        expect(square / pairs).toBeGreaterThan(35 * 0.85);
        expect(square / pairs).toBeLessThan(35 * 1.15);
        sampled.dispose();
        gram.dispose();
      }
      treeDispose(params);
    });
  });

  it('are the same bits for the same key', async () => {
    const params = { w: tf.zeros([3, 2]) };
    const take = async (seed: number) => {
      const sampled = new Directions(params, key(seed), directionSettings({ noise: 'normal' }));
      const dense = treeMaterialize(sampled.tangents as never);
      const bits = await bitsOf(dense);
      sampled.dispose();
      treeDispose(dense);
      return bits;
    };
    expect(await take(5)).toEqual(await take(5));
    expect(await take(5)).not.toEqual(await take(6));
    treeDispose(params);
  });

  it('refuse options that mean nothing', () => {
    expect(() => directionSettings({ directions: 0 })).toThrow(/directions must be an integer of at least 1, got 0/);
    expect(() => directionSettings({ noise: 'gauss' as never })).toThrow(/'signs' or 'normal', got 'gauss'/);
    expect(() => directionSettings({ structure: 'full' as never })).toThrow(/'rankOne' or 'dense', got 'full'/);
    const ids = { ids: tf.zeros([2], 'int32') };
    expect(() => new Directions(ids, key(1), directionSettings({}))).toThrow(/'ids' is int32/);
    treeDispose(ids);
  });
});
