import * as nn from '@frugal/nn';
import {
  key,
  type Module,
  meter,
  randomNormal,
  type Tree,
  treeDispose,
  treeMap,
  treeSize,
  valueAndGrad,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { applyMasks } from '../masks/masks.ts';
import {
  type BlockScores,
  blockActivations,
  blockGradients,
  blockMagnitudes,
  blockMasks,
  pruneBlocks,
} from './blocks.ts';
import { compactBlocks } from './compact-blocks.ts';

const HEADS = 4;
const options = { dim: 16, depth: 2, heads: HEADS, patch: 14 } as const;
const language = { vocabulary: 11, context: 6, dim: 16, depth: 2, heads: HEADS, positions: 'rotary' } as const;

/** Parameters whose biases are not zero either. */
function initialised(model: Module<Tree>): Tree {
  const params = model.init(key(1));
  const moved = treeMap((leaf) => tf.tidy(() => tf.add(leaf, tf.mul(0.1, randomNormal(key(2), leaf.shape)))), params);
  treeDispose(params);
  return moved;
}

type Maker = (block?: (i: number) => object) => Module<Tree>;
const makers: Record<string, [make: Maker, input: () => tf.Tensor]> = {
  vit: [
    (block) => nn.vit({ ...options, ...(block && { block }) }) as never,
    () => randomNormal(key(3), [3, 28, 28, 1]),
  ],
  gpt: [
    (block) => nn.gpt({ ...language, ...(block && { block }) }) as never,
    () => tf.tensor2d([0, 5, 10, 3, 2, 1], [1, 6], 'int32'),
  ],
};

describeEachBackend('heads and hidden units of blocks', () => {
  for (const [name, [make, input]] of Object.entries(makers)) {
    it(`${name}: compacted equals masked, is smaller and costs less`, async () => {
      await expectNoLeak(async () => {
        const model = make();
        const params = initialised(model);
        const x = input();
        const kept = pruneBlocks(await blockMagnitudes(params, HEADS), { heads: 0.5, hidden: { count: 40 } });
        expect(kept.map(({ heads, hidden }) => [heads.length, hidden.length])).toEqual([
          [2, 24],
          [2, 24],
        ]);
        const masks = blockMasks(params, HEADS, kept);
        const masked = applyMasks(params, masks);
        const cut = compactBlocks(params, HEADS, kept);
        const small = make(cut.block);
        const [whole, less] = [meter(() => model.apply(masked, x)), meter(() => small.apply(cut.params, x))];
        await expectClose(less.result, whole.result, 1e-5);
        expect(less.flops).toBeLessThan(0.8 * whole.flops);
        expect(treeSize(cut.params)).toBeLessThan(0.75 * treeSize(params));
        const fresh = small.init(key(5));
        expect(treeSize(fresh)).toBe(treeSize(cut.params));
        treeDispose([params, x, masks, masked, cut.params, whole.result, less.result, fresh]);
      });
    });
  }

  it('does not compute what was cut: NaN there does no harm', async () => {
    const [make, input] = makers['vit']!;
    const params = initialised(make());
    const kept = [
      { heads: [1], hidden: [0, 7, 63] },
      { heads: [0, 3], hidden: [5] },
    ];
    const masks = blockMasks(params, HEADS, kept);
    const holes = treeMap((leaf) => leaf.clone(), applyNaN(params, masks));
    const [cut, clean] = [compactBlocks(holes, HEADS, kept), compactBlocks(params, HEADS, kept)];
    const x = input();
    const [y, expected] = [cut, clean].map(({ params: p, block }) => make(block).apply(p, x));
    await expectClose(y!, expected!, 0);
    treeDispose([params, masks, holes, cut.params, clean.params, x, y!, expected!]);
  });

  it('scores by gradient: how the loss changes with the scale of a head and of a hidden unit', async () => {
    await expectNoLeak(async () => {
      const [make, input] = makers['vit']!;
      const model = make();
      const params = initialised(model);
      const x = input();
      const loss = (p: Tree): tf.Tensor => tf.mean(tf.square(model.apply(p, x)));
      const [value, grads] = valueAndGrad(loss)(params);
      const scores = await blockGradients(params, HEADS, grads);
      // The oracle scales rows of the weights that read them by a gate, and differentiates by the gate.
      const gates = [0, 1].map(() => ({ heads: tf.ones([HEADS]), hidden: tf.ones([64]) }));
      const { blocks, ...rest } = params as { blocks: Record<string, Tree>[] } & Record<string, Tree>;
      const gated = (g: Tree): tf.Tensor => {
        const own = (g as typeof gates).map(({ heads, hidden }, i) => {
          const { attn, mlp, ...norms } = blocks[i]! as Record<string, Record<string, Record<string, tf.Tensor>>>;
          const rows = tf.reshape(tf.mul(tf.reshape(heads, [HEADS, 1]), tf.ones([HEADS, 4])), [16, 1]);
          const proj = { ...attn!['proj'], weight: tf.mul(attn!['proj']!['weight']!, rows) };
          const fc2 = { ...mlp!['fc2'], weight: tf.mul(mlp!['fc2']!['weight']!, tf.reshape(hidden, [64, 1])) };
          return { ...norms, attn: { ...attn, proj }, mlp: { ...mlp, fc2 } };
        });
        return loss({ ...rest, blocks: own } as unknown as Tree);
      };
      const [same, slopes] = valueAndGrad(gated)(gates as Tree);
      for (const [i, slope] of (slopes as typeof gates).entries()) {
        for (const part of ['heads', 'hidden'] as const) {
          const size = tf.abs(slope[part]);
          await expectClose(size, scores[i]![part], 1e-4);
          size.dispose();
        }
      }
      treeDispose([params, x, value, grads, gates, same, slopes]);
    });
  });

  it('scores by activation: a head that says nothing has none', async () => {
    const [make, input] = makers['vit']!;
    const model = make();
    const params = initialised(model) as { blocks: { attn: { qkv: { weight: tf.Tensor; bias: tf.Tensor } } }[] } & Tree;
    // The values of head 2 of the first block are zero: columns 2 · 16 + 2 · 4 …
    const { weight, bias } = params.blocks[0]!.attn.qkv;
    const mute = tf.tensor1d(Array.from({ length: 48 }, (_, i) => (i >= 40 && i < 44 ? 0 : 1)));
    const qkv = tf.tidy(() => ({ weight: tf.mul(weight, mute), bias: tf.mul(bias, mute) }));
    const attn = { ...params.blocks[0]!.attn, qkv };
    const tree = { ...params, blocks: [{ ...params.blocks[0]!, attn }, params.blocks[1]!] } as unknown as Tree;
    const x = input();
    let scores: BlockScores = [];
    await expectNoLeak(async () => {
      scores = await blockActivations(tree, HEADS, () => model.apply(tree, x));
    });
    expect(Array.from(scores[0]!.heads, (score) => score > 0)).toEqual([true, true, false, true]);
    expect(pruneBlocks(scores, { heads: { count: 1 } })[0]).toEqual({
      heads: [0, 1, 3],
      hidden: Array.from({ length: 64 }, (_, i) => i),
    });
    treeDispose([params, mute, qkv, x]);
  });

  it('refuses what does not fit', async () => {
    const [make] = makers['vit']!;
    const params = initialised(make());
    expect(() => blockMasks(params, HEADS, [{}])).toThrow(/each of the 2 blocks, got 1/);
    expect(() => compactBlocks(params, HEADS, [{ heads: [] }, {}])).toThrow(/at least one/);
    expect(() => compactBlocks(params, HEADS, [{}, { hidden: [64] }])).toThrow(/below 64/);
    expect(() => compactBlocks(params, 3, [{}, {}])).toThrow(/of 3 heads/);
    await expect(blockMagnitudes({ w: tf.zeros([1]) }, 1)).rejects.toMatchObject({ code: 'NOT_PRUNABLE' });
    const scores = await blockMagnitudes(params, HEADS);
    expect(
      pruneBlocks(scores, { heads: 1, hidden: 1 }).map(({ heads, hidden }) => heads.length + hidden.length),
    ).toEqual([2, 2]);
    treeDispose(params);
  });
});

/** NaN where the masks cut. */
function applyNaN(params: Tree, masks: Readonly<Record<string, tf.Tensor>>): Tree {
  const zeroed = applyMasks(params, masks);
  const ones = applyMasks(
    treeMap((leaf) => tf.onesLike(leaf), params),
    masks,
  );
  return treeMap((leaf, one) => tf.where(tf.equal(one!, 0), Number.NaN, leaf), zeroed, ones);
}
