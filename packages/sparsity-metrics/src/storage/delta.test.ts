import { sgd } from '@frugal/core-trainer';
import {
  encodeSafetensors,
  key,
  randomNormal,
  type Tree,
  treeClone,
  treeDispose,
  treeEntries,
  treeMap,
} from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { keepPruned } from '../masks/keep-pruned.ts';
import { applyMasks } from '../masks/masks.ts';
import { magnitudeMasks } from '../masks/prune.ts';
import { decodeSparse } from './decode-sparse.ts';
import { decodeDelta, encodeDelta } from './delta.ts';
import { encodeSparse } from './encode-sparse.ts';

const valuesOf = async (tree: Tree): Promise<number[][]> =>
  Promise.all(treeEntries(tree).map(async ([, leaf]) => Array.from((await leaf.data()) as Float32Array)));

const makeBase = () => ({
  body: { weight: randomNormal(key(1), [60, 50]), bias: randomNormal(key(2), [50]) },
  ids: tf.tensor1d([1, 2], 'int32'),
});

describeEachBackend('delta files', () => {
  it('hold what differs from the base, and come back bit for bit', async () => {
    await expectNoLeak(async () => {
      const base = makeBase();
      const weight = Float32Array.from(await base.body.weight.data());
      for (let i = 0; i < weight.length; i += 20) weight[i] = weight[i]! + 1e-3;
      // A value that became zero, −0 and NaN are values like others.
      weight.set([0, -0, Number.NaN], 100);
      const tuned = { body: { weight: tf.tensor2d(weight, [60, 50]), bias: base.body.bias }, ids: base.ids };
      const { bytes, tensors, ratio, denseBytes } = await encodeDelta(base, tuned, { metadata: { task: 'a' } });
      expect(denseBytes).toBe((await encodeSafetensors(tuned, { metadata: { task: 'a' } })).length);
      expect(ratio).toBe(bytes.length / denseBytes);
      expect(ratio).toBeLessThan(0.15);
      expect(tensors.map(({ path, stored }) => [path, stored > 0])).toEqual([
        ['body.weight', true],
        ['body.bias', false],
      ]);
      const back = await decodeDelta(base, bytes);
      expect(back.metadata).toEqual({ task: 'a' });
      const [got, expected] = [await valuesOf(back.tree), await valuesOf(tuned)];
      for (const [i, values] of got.entries()) for (const [k, v] of values.entries()) expect(v).toBe(expected[i]![k]);
      treeDispose([base, tuned.body.weight, back.tree]);
    });
  });

  it('in 8 bits err by half a step of the difference, far less than 8 bits of the values would', async () => {
    await expectNoLeak(async () => {
      const base = makeBase();
      const noise = randomNormal(key(3), [60, 50]);
      const weight = tf.tidy(() => tf.add(base.body.weight, tf.mul(noise, 0.01)));
      const tuned = { ...base, body: { weight, bias: base.body.bias } };
      const { bytes, ratio } = await encodeDelta(base, tuned, { bits: 8 });
      expect(ratio).toBeLessThan(0.32);
      const { tree } = await decodeDelta(base, bytes);
      const error = tf.tidy(() => tf.max(tf.abs(tf.sub((tree as typeof tuned).body.weight, weight))));
      const largest = tf.tidy(() => tf.max(tf.abs(tf.sub(weight, base.body.weight))));
      expect((await error.data())[0]!).toBeLessThan((0.51 * (await largest.data())[0]!) / 127);
      treeDispose([base, noise, weight, tree, error, largest]);
    });
  });

  it('know a pruned base that came back from its own file, and hold nothing of what is cut', async () => {
    await expectNoLeak(async () => {
      const dense = { weight: randomNormal(key(1), [60, 50]) };
      const masks = await magnitudeMasks(dense, 0.9);
      const base = applyMasks(dense, masks);
      const optimizer = keepPruned(sgd(0.1), masks);
      const start = treeClone(base);
      const grads = { weight: randomNormal(key(2), [60, 50]) };
      const [tuned, state] = optimizer.step!(grads, optimizer.init(start), start, { step: 0 });
      const { bytes, tensors } = await encodeDelta(base, tuned);
      expect(tensors[0]!.sparsity).toBeGreaterThanOrEqual(0.9);
      const restored = (await decodeSparse((await encodeSparse(base)).bytes)).tree as typeof base;
      const { tree } = await decodeDelta(restored, bytes);
      expect(await valuesOf(tree)).toEqual(await valuesOf(tuned));
      treeDispose([dense, masks, base, grads, tuned, state, restored, tree]);
    });
  });

  it('ten models of one base take little more than one', async () => {
    const base = makeBase();
    const sizes: number[] = [];
    for (let model = 0; model < 10; model++) {
      const weight = Float32Array.from(await base.body.weight.data());
      for (let i = model; i < weight.length; i += 50) weight[i] = i;
      const tuned = { ...base, body: { ...base.body, weight: tf.tensor2d(weight, [60, 50]) } };
      sizes.push((await encodeDelta(base, tuned)).bytes.length);
      tuned.body.weight.dispose();
    }
    const dense = (await encodeSafetensors(base)).length;
    expect((dense + sizes.reduce((a, b) => a + b)) / (10 * dense)).toBeLessThan(0.2);
    treeDispose(base);
  });

  it('are refused with another base, another shape, and by the reader of sparse files; nothing leaks', async () => {
    await expectNoLeak(async () => {
      const base = makeBase();
      const { bytes } = await encodeDelta(base, base);
      const other = treeMap((leaf) => leaf.clone(), base);
      const moved = { ...other, body: { ...other.body, bias: tf.zeros([50]) } };
      await expect(decodeDelta(moved, bytes)).rejects.toMatchObject({ code: 'WRONG_BASE' });
      await expect(decodeSparse(bytes)).rejects.toMatchObject({ code: 'SPARSE_FILE' });
      await expect(encodeDelta(base, { ...base, extra: base.ids })).rejects.toThrow(/nothing in the base/);
      const wide = { ...base, body: { ...base.body, bias: tf.zeros([5, 10]) } };
      await expect(encodeDelta(base, wide)).rejects.toMatchObject({ code: 'TREE_MISMATCH' });
      await expect(encodeDelta(base, base, { bits: 4 as 8 })).rejects.toThrow(/bits must be 8 or 32/);
      treeDispose([base, other, moved.body.bias, wide.body.bias]);
    });
  });
});
