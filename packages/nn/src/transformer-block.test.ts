import { createState, key, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak, normalTensor } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { cacheLength, openCache } from './kv-cache.ts';
import { gpt } from './models/gpt.ts';
import { vit } from './models/vit.ts';
import { transformerBlock } from './transformer-block.ts';

describeEachBackend('a transformer block for some positions', () => {
  it('gives them what the whole block gives, and leaves the others as they are', async () => {
    await expectNoLeak(async () => {
      const block = transformerBlock(8, 2);
      const params = block.init(key(1));
      const x = normalTensor(3, [2, 5, 8]);
      const rows = Int32Array.of(1, 4, 5, 9);
      const all = block.apply(params, x);
      const whole = (await all.data()) as Float32Array;
      const some = block.applySome!(params, x, rows);
      const before = await x.data();
      const expected = Float32Array.from(before, (value, i) => (rows.includes(Math.floor(i / 8)) ? whole[i]! : value));
      await expectClose(some, expected, 1e-6);
      const none = block.applySome!(params, x, new Int32Array(0));
      await expectClose(none, before as Float32Array, 0);
      treeDispose([params, x, all, some, none]);
    });
  });

  it('still shows the others to those that follow, through the cache', async () => {
    await expectNoLeak(async () => {
      const model = gpt({ vocabulary: 7, context: 8, dim: 8, depth: 1, heads: 2 });
      const params = model.init(key(2));
      const [embed, block] = model.stages as [(typeof model.stages)[0], (typeof model.stages)[0]];
      const ids = (...tokens: number[]): tf.Tensor => tf.tensor2d([tokens], undefined, 'int32');
      const next = (skip: boolean): tf.Tensor => {
        const state = createState();
        openCache(state, model.caches);
        const ctx = { train: false, state };
        const y = tf.tidy(() => {
          const past = embed.apply(params, ids(1, 2, 3), ctx);
          if (skip) block.applySome!(params, past, new Int32Array(0), ctx);
          else block.apply(params, past, ctx);
          expect(cacheLength(state, model.caches[0]!)).toBe(3);
          return block.apply(params, embed.apply(params, ids(4), ctx), ctx);
        });
        state.dispose();
        return y;
      };
      const [seen, skipped] = [next(false), next(true)];
      await expectClose(skipped, seen, 1e-6);
      treeDispose([params, seen, skipped]);
    });
  });

  it('is offered by the stages of gpt and vit, and not where attention is somebody else’s', () => {
    const own = transformerBlock(8, 2, { attn: transformerBlock(8, 2) });
    expect(own.applySome).toBeUndefined();
    for (const model of [vit({ depth: 2, dim: 8, heads: 2 }), gpt({ vocabulary: 5, depth: 2, dim: 8, heads: 2 })]) {
      const offers = model.stages.map(({ applySome }) => applySome !== undefined);
      expect(offers).toEqual([false, true, true, false]);
    }
  });
});
