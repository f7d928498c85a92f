import { key, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { normal } from '../initializers.ts';
import { type GenerateOptions, generate } from './generate.ts';
import { gpt } from './gpt.ts';

const weightInit = normal({ sd: 0.4 });
const models = {
  learned: gpt({ vocabulary: 7, context: 12, dim: 8, depth: 2, heads: 2, weightInit }),
  rotary: gpt({ vocabulary: 7, dim: 8, depth: 2, heads: 2, positions: 'rotary', norm: 'rms', tied: false, weightInit }),
};

async function collect(model: typeof models.learned, params: never, prompt: number[], options: GenerateOptions) {
  const out: number[] = [];
  for await (const token of generate(model, params, prompt, options)) out.push(token);
  return out;
}

describeEachBackend('generate', () => {
  for (const [name, model] of Object.entries(models)) {
    it(`greedy with a cache equals the argmax of whole texts, ${name} positions`, async () => {
      await expectNoLeak(async () => {
        const params = model.init(key(2)) as never;
        const made = await collect(model, params, [1, 2, 3], { tokens: 9 });
        const text = [1, 2, 3];
        for (const token of made) {
          const best = tf.tidy(() => {
            const logits = model.apply(params, tf.tensor2d(text, [1, text.length], 'int32'));
            return tf.argMax(tf.slice(logits, [0, text.length - 1, 0], [1, 1, 7]), -1);
          });
          expect(token).toBe((await best.data())[0]);
          best.dispose();
          text.push(token);
        }
        expect(new Set(made).size).toBeGreaterThan(1);
        treeDispose(params);
      });
    });
  }

  it('samples by key; one candidate is greedy', async () => {
    await expectNoLeak(async () => {
      const model = models.learned;
      const params = model.init(key(2)) as never;
      const sample = (seed: number, options: GenerateOptions = {}) =>
        collect(model, params, [1], { temperature: 2, key: key(seed), ...options });
      const [a, b, c] = [await sample(1), await sample(1), await sample(2)];
      expect(a).toHaveLength(12);
      expect(b).toEqual(a);
      expect(c).not.toEqual(a);
      expect(await sample(1, { topK: 1 })).toEqual(await collect(model, params, [1], {}));
      treeDispose(params);
    });
  });

  it('frees everything when the loop is left, and refuses what does not fit', async () => {
    await expectNoLeak(async () => {
      const model = models.learned;
      const params = model.init(key(2)) as never;
      for await (const token of generate(model, params, [1], { tokens: 5 })) {
        expect(token).toBeGreaterThanOrEqual(0);
        break;
      }
      await expect(collect(model, params, [], {})).rejects.toThrow(/prompt is empty/);
      await expect(collect(model, params, [1, 2], { tokens: 12 })).rejects.toThrow(/at most 12 tokens/);
      await expect(collect(model, params, [1], { temperature: 1 })).rejects.toThrow(/needs 'key'/);
      await expect(collect(model, params, [1], { topK: 0 })).rejects.toThrow(/topK is at least 1/);
      treeDispose(params);
    });
  });
});
