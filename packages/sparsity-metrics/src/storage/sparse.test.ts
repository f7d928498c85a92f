import { lenet300 } from '@frugal/nn';
import { encodeSafetensors, key, randomNormal, treeDispose, treeEntries, treeMap, treeRestore } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyMasks } from '../masks/masks.ts';
import { magnitudeMasks } from '../masks/prune.ts';
import { codings } from './codings.ts';
import { decodeSparse } from './decode-sparse.ts';
import { encodeSparse } from './encode-sparse.ts';

it('both codings of places come back, whatever the gaps', () => {
  const gaps = fc.array(fc.oneof(fc.nat(3), fc.nat(1200), fc.constantFrom(254, 255, 256, 510)), { maxLength: 30 });
  fc.assert(
    fc.property(gaps, fc.nat(600), (zeros, rest) => {
      let at = -1;
      const places = Uint32Array.from(zeros, (gap) => (at += gap + 1));
      const size = at + 1 + rest;
      for (const { encode, decode } of Object.values(codings)) {
        expect(decode(encode(places, size), size, places.length)).toEqual(places);
      }
    }),
  );
});

describeEachBackend('sparse files', () => {
  it('a LeNet-300-100 with a tenth of its weights takes at most 14 % and comes back bit for bit', async () => {
    await expectNoLeak(async () => {
      const params = lenet300().init(key(1));
      const masks = await magnitudeMasks(params, { sparsity: 0.9 });
      const pruned = applyMasks(params, masks);
      const { bytes, tensors, denseBytes, ratio } = await encodeSparse(pruned, { metadata: { seed: '1' } });
      expect(denseBytes).toBe((await encodeSafetensors(pruned, { metadata: { seed: '1' } })).length);
      expect(ratio).toBeLessThanOrEqual(0.14);
      expect(bytes.length).toBe(Math.round(ratio * denseBytes));
      expect(bytes.length - tensors.reduce((sum, { stored }) => sum + stored, 0)).toBeLessThan(1500); // the header
      const { tree, metadata } = await decodeSparse(bytes);
      expect(metadata).toEqual({ seed: '1' });
      const restored = treeRestore(params, treeEntries(tree));
      for (const [i, [, leaf]] of treeEntries(restored).entries()) {
        const [got, expected] = await Promise.all([leaf.data(), treeEntries(pruned)[i]![1].data()]);
        expect(Array.from(got)).toEqual(Array.from(expected)); // tells 0 from −0
      }
      treeDispose([params, masks, pruned, restored]);
    });
  });

  it('stores 8-bit values within half a step, and zeros exactly', async () => {
    await expectNoLeak(async () => {
      const dense = { a: randomNormal(key(1), [30, 20]), bias: randomNormal(key(2), [20]), zero: tf.zeros([4, 4]) };
      const masks = await magnitudeMasks(dense, 0.8, { prunable: (path) => path === 'a' });
      for (const tree of [applyMasks(dense, masks), treeMap((leaf) => leaf.clone(), dense)]) {
        const { bytes, tensors } = await encodeSparse(tree, { bits: 8 });
        const back = (await decodeSparse(bytes)).tree as typeof dense;
        const [got, expected] = await Promise.all([back.a.data(), tree.a.data()]);
        const step = Math.max(...Array.from(expected, Math.abs)) / 127;
        for (let i = 0; i < got.length; i++) {
          expect(Math.abs(got[i]! - expected[i]!)).toBeLessThanOrEqual(0.5001 * step);
          if (expected[i] === 0) expect(got[i]).toBe(0);
        }
        await expectClose(back.bias, tree.bias, 0);
        await expectClose(back.zero, tree.zero, 0);
        expect(tensors.map(({ bits }) => bits)).toEqual([8, 32, 8]);
        expect(tensors[2]!.stored).toBe(0);
        treeDispose([tree, back]);
      }
      treeDispose([dense, masks]);
    });
  });

  it('passes on what is not sparse: other dtypes, dense and empty tensors, scalars, NaN', async () => {
    await expectNoLeak(async () => {
      const tree = {
        blocks: [{ w: tf.tensor2d([[1, 2, Number.NaN]]) }, { w: tf.tensor1d([3, 4], 'int32') }],
        empty: tf.zeros([0, 3]),
        mask: tf.tensor1d([1, 0], 'bool'),
        scalar: tf.scalar(7),
        sparse: tf.tensor1d([0, 0, 0, 0, 0, 0, 0, Number.NaN, 0, 0]),
      };
      const { bytes } = await encodeSparse(tree);
      const back = (await decodeSparse(bytes)).tree;
      for (const [i, [path, leaf]] of treeEntries(treeRestore(tree, treeEntries(back))).entries()) {
        const [was, original] = treeEntries(tree)[i]!;
        expect([path, leaf.dtype, Array.from(await leaf.data())]).toEqual([
          was,
          original.dtype,
          Array.from(await original.data()),
        ]);
      }
      treeDispose([tree, back]);
    });
  });

  it('refuses what is broken, and leaks nothing then', async () => {
    await expectNoLeak(async () => {
      const values = tf.tensor1d([1, 2]);
      const places = tf.tensor1d([3, 200], 'int32');
      const file = (entry: unknown, parts: Record<string, tf.Tensor> = { w: values, 'w#places': places }) =>
        encodeSafetensors(parts, {
          metadata: { 'frugal.sparse': JSON.stringify({ version: 1, entries: { w: entry } }) },
          dtypes: { 'w#places': 'U8' } as never,
        });
      const delta = { shape: [300], coding: 'delta' };
      expect((await encodeSparse({ w: values })).bytes.length).toBeGreaterThan(0);
      const good = (await decodeSparse(await file(delta))).tree as { w: tf.Tensor };
      expect((await good.w.data())[3 + 1 + 200]).toBe(2);
      treeDispose(good);
      const bad: [unknown, RegExp][] = [
        [{ shape: [100], coding: 'delta' }, /beyond the tensor/],
        [{ shape: [16], coding: 'bitmap' }, /more values than there are/],
        [{ shape: [17], coding: 'bitmap' }, /17 elements has 2 bytes/],
        [{ shape: [3], coding: 'dense' }, /2 values for 3/],
        [{ shape: [-1], coding: 'delta' }, /entry of 'w'/],
        [{ shape: [1e6, 1e6], coding: 'delta' }, /maxElements/],
        [{ shape: [300], coding: 'zip' }, /entry of 'w'/],
        [null, /entry of 'w'/],
      ];
      for (const [entry, message] of bad) await expect(decodeSparse(await file(entry))).rejects.toThrow(message);
      await expect(decodeSparse(await file(delta, { w: values }))).rejects.toThrow(/missing/);
      const twice = { a: tf.zeros([10, 10]), b: tf.zeros([10, 10]) };
      const { bytes: small } = await encodeSparse(twice);
      treeDispose((await decodeSparse(small, { maxElements: 200 })).tree);
      await expect(decodeSparse(small, { maxElements: 199 })).rejects.toThrow(/100 elements.* room for 99/);
      await expect(decodeSparse(await encodeSafetensors({ w: values }))).rejects.toThrow(/decodeSafetensors/);
      const noJson = await encodeSafetensors({ w: values }, { metadata: { 'frugal.sparse': '{' } });
      await expect(decodeSparse(noJson)).rejects.toThrow(/no JSON/);
      const nan = { w: tf.tensor2d([[Number.NaN]]) };
      await expect(encodeSparse(nan, { bits: 8 })).rejects.toThrow(/Take 32/);
      treeDispose([values, places, twice, nan]);
    });
  });
});
