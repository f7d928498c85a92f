import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  assertSameStructure,
  TreeMismatchError,
  treeClone,
  treeDispose,
  treeEntries,
  treeLeaves,
  treeMap,
  treeMaterialize,
  treeSize,
  treeUnflatten,
  treeZerosLike,
} from './tree.ts';

const make = () => ({
  blocks: [{ weight: tf.ones([2, 3]), bias: tf.zeros([3]) }, { weight: tf.ones([3, 1]) }],
  scale: tf.scalar(2),
});

describeEachBackend('tree', () => {
  it('names leaves as safetensors does, in order', async () => {
    await expectNoLeak(() => {
      const tree = make();
      expect(treeEntries(tree).map(([path]) => path)).toEqual([
        'blocks.0.weight',
        'blocks.0.bias',
        'blocks.1.weight',
        'scale',
      ]);
      expect(treeSize(tree)).toBe(13);
      treeDispose(tree);
      treeDispose(tree);
    });
  });

  it('maps over several trees', async () => {
    await expectNoLeak(async () => {
      const a = make();
      const b = treeClone(a);
      const zeros = treeZerosLike(a);
      const sum = treeMap((x, y, z) => tf.tidy(() => tf.add(tf.add(x, y!), z!)), a, b, zeros);
      expect(Array.from(await sum.scale.data())).toEqual([4]);
      expect(sum.blocks[1]!.weight.shape).toEqual([3, 1]);
      for (const tree of [a, b, zeros, sum]) treeDispose(tree);
    });
  });

  it('round-trips through its leaves', async () => {
    await expectNoLeak(() => {
      const tree = make();
      expect(treeUnflatten(tree, treeLeaves(tree))).toEqual(tree);
      expect(() => treeUnflatten(tree, [])).toThrow(TreeMismatchError);
      treeDispose(tree);
    });
  });

  it('says where two trees differ', async () => {
    await expectNoLeak(() => {
      const a = make();
      const b = { blocks: [a.blocks[0]!, { weight: [a.scale] }], scale: a.scale };
      expect(() => assertSameStructure(a, b)).toThrow(/'blocks\.1\.weight'.*expected a leaf/);
      expect(() => assertSameStructure(a, { scale: a.scale })).toThrow(/'blocks'.*missing/);
      expect(() => assertSameStructure({ scale: a.scale }, a)).toThrow(/'blocks'.*not in the first/);
      expect(() => assertSameStructure({ x: a.scale, y: a.scale }, { y: a.scale, x: a.scale })).toThrow(/order/);
      expect(() => treeEntries({ x: null } as never)).toThrow(/'x'.*got null/);
      treeDispose(a);
    });
  });

  it('materialises structured leaves', async () => {
    await expectNoLeak(async () => {
      const leaf = { kind: 'ones', shape: [2], materialize: () => tf.ones([2]), dispose: () => undefined };
      const b = tf.scalar(1);
      const dense = treeMaterialize({ a: leaf, b }) as { a: tf.Tensor; b: tf.Tensor };
      expect(dense.a.shape).toEqual([2]);
      treeDispose({ dense, b });
    });
  });
});
