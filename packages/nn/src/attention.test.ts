import { createState, key, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectGradient, expectNoLeak, normalTensor } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { type AttentionOptions, type AttentionParams, attention } from './attention.ts';
import { normal } from './initializers.ts';
import { cacheLength, openCache, truncateCache } from './kv-cache.ts';

interface Reference {
  heads: number;
  kvHeads?: number;
  allowed?: (batch: number, query: number, key: number) => boolean;
  rotary?: boolean;
}

/** Attention in plain loops and doubles. */
async function reference(params: AttentionParams, x: tf.Tensor, options: Reference): Promise<number[]> {
  const { heads, kvHeads = heads, allowed = () => true, rotary = false } = options;
  const [batch, time, dim] = x.shape as [number, number, number];
  const size = dim / heads;
  const affine = (input: number[], weight: ArrayLike<number>, bias: ArrayLike<number>): number[] =>
    Array.from(bias, (b, o) => input.reduce((sum, v, i) => sum + v * weight[i * bias.length + o]!, b));
  const [w1, b1] = [await params.qkv.weight.data(), await params.qkv.bias.data()];
  const [w2, b2] = [await params.proj.weight.data(), await params.proj.bias.data()];
  const values = await x.data();
  const rotate = (v: number[], t: number): number[] =>
    v.map((a, i) => {
      const half = size / 2;
      const angle = t * 10000 ** (-(i % half) / half);
      const other = i < half ? -v[i + half]! : v[i - half]!;
      return rotary ? a * Math.cos(angle) + other * Math.sin(angle) : a;
    });
  const out: number[] = [];
  for (let b = 0; b < batch; b++) {
    const rows = Array.from({ length: time }, (_, t) => {
      const from = (b * time + t) * dim;
      const made = affine(Array.from(values.slice(from, from + dim)), w1, b1);
      const head = (part: number, h: number) => made.slice(part + h * size, part + (h + 1) * size);
      return {
        q: Array.from({ length: heads }, (_, h) => rotate(head(0, h), t)),
        k: Array.from({ length: kvHeads }, (_, h) => rotate(head(dim, h), t)),
        v: Array.from({ length: kvHeads }, (_, h) => head(dim + kvHeads * size, h)),
      };
    });
    for (let t = 0; t < time; t++) {
      const mixed: number[] = [];
      for (let h = 0; h < heads; h++) {
        const shared = Math.floor(h / (heads / kvHeads));
        const weights = rows.map(({ k }, s) =>
          allowed(b, t, s)
            ? Math.exp(k[shared]!.reduce((sum, v, i) => sum + v * rows[t]!.q[h]![i]!, 0) / Math.sqrt(size))
            : 0,
        );
        const total = weights.reduce((a, c) => a + c, 0);
        for (let i = 0; i < size; i++) {
          mixed.push(rows.reduce((sum, { v }, s) => sum + (weights[s]! / total) * v[shared]![i]!, 0));
        }
      }
      out.push(...affine(mixed, w2, b2));
    }
  }
  return out;
}

const wide = normal({ sd: 0.5 });

describeEachBackend('attention', () => {
  const cases: [string, AttentionOptions, Reference][] = [
    ['plain', {}, { heads: 2 }],
    ['causal', { causal: true }, { heads: 2, allowed: (_, q, k) => k <= q }],
    ['rotary', { rotary: true }, { heads: 2, rotary: true }],
    ['with shared keys', { kvHeads: 1, causal: true }, { heads: 2, kvHeads: 1, allowed: (_, q, k) => k <= q }],
  ];
  for (const [name, options, plain] of cases) {
    it(`${name} equals plain loops`, async () => {
      const layer = attention(8, 2, { weightInit: wide, ...options });
      const [params, x] = [layer.init(key(1)), normalTensor(2, [2, 5, 8])];
      await expectNoLeak(async () => {
        const y = layer.apply(params, x);
        await expectClose(y, await reference(params, x, plain), 2e-5);
        y.dispose();
      });
      treeDispose([params, x]);
    });
  }

  it('says its sizes, those too that its options leave open', () => {
    const sizes = { kind: 'attention', dim: 12, causal: false };
    expect(attention(12, 2).spec).toEqual({ ...sizes, heads: 2, kvHeads: 2, headSize: 6 });
    const { spec, ...layer } = attention(12, 4, { kvHeads: 2, headSize: 5 });
    expect(spec).toEqual({ ...sizes, heads: 4, kvHeads: 2, headSize: 5 });
    const params = layer.init(key(1));
    // Queries of every head, keys and values of the shared ones.
    expect([params.qkv.weight.shape, params.proj.weight.shape]).toEqual([
      [12, (4 + 2 * 2) * 5],
      [4 * 5, 12],
    ]);
    treeDispose(params);
  });

  it('takes masks by key and by pair', async () => {
    await expectNoLeak(async () => {
      const layer = attention(8, 2, { weightInit: wide });
      const [params, x] = [layer.init(key(1)), normalTensor(2, [2, 3, 8])];
      const byKey = tf.tensor2d([1, 1, 0, 1, 0, 0], [2, 3], 'bool');
      const y = layer.apply(params, { x, mask: byKey });
      const kept = [[1, 1, 0], [1, 0, 0]]; // biome-ignore format: a table
      await expectClose(y, await reference(params, x, { heads: 2, allowed: (b, _, k) => kept[b]![k] === 1 }), 2e-5);
      const byPair = tf.tensor2d([1, 0, 0, 1, 1, 0, 1, 1, 1], [3, 3]);
      const z = layer.apply(params, { x, mask: byPair });
      await expectClose(z, await reference(params, x, { heads: 2, allowed: (_, q, k) => k <= q }), 2e-5);
      const wrong = tf.ones([4, 3]);
      expect(() => layer.apply(params, { x, mask: wrong })).toThrow(/takes a mask of \[B, S\].*got \[4,3\]/);
      treeDispose([params, x, byKey, byPair, wrong, y, z]);
    });
  });

  it('has the right gradients', async () => {
    const layer = attention(8, 2, { causal: true, rotary: true, weightInit: wide });
    const tree = { p: layer.init(key(1)), x: normalTensor(2, [2, 4, 8]) };
    await expectNoLeak(() => expectGradient(({ p, x }) => layer.apply(p, x), tree));
    treeDispose(tree);
  });

  it('piece by piece with a cache equals the whole at once', async () => {
    await expectNoLeak(async () => {
      const layer = attention(8, 4, { causal: true, rotary: true, kvHeads: 2, weightInit: wide });
      const [params, x] = [layer.init(key(1)), normalTensor(2, [2, 7, 8])];
      const whole = layer.apply(params, x);
      const state = createState();
      openCache(state, ['attn']);
      const ctx = { train: false, state, path: 'attn' };
      const piece = (from: number, count: number) =>
        tf.tidy(() => layer.apply(params, tf.slice(x, [0, from, 0], [-1, count, -1]), ctx));
      const pieces = [piece(0, 3), piece(3, 1), piece(4, 1)];
      expect(cacheLength(state, 'attn')).toBe(5);
      truncateCache(state, ['attn'], 3);
      tf.dispose(pieces.splice(1, 2, piece(3, 2), piece(5, 2)));
      const joined = tf.concat(pieces, 1);
      await expectClose(joined, whole, 1e-5);
      truncateCache(state, ['attn'], 0);
      expect(cacheLength(state, 'attn')).toBe(0);
      expect(cacheLength(state, 'elsewhere')).toBeUndefined();
      expect(() => truncateCache(state, ['attn'], 1)).toThrow(/cannot cut 'attn' to 1: it holds 0/);
      state.dispose();
      treeDispose([params, x, whole, joined, ...pieces]);
    });
  });

  it('a cache is for one batch size, and is left alone in training', async () => {
    await expectNoLeak(() => {
      const layer = attention(4, 1, { causal: true });
      const [params, one, two, state] = [layer.init(key(1)), tf.ones([1, 2, 4]), tf.ones([2, 2, 4]), createState()];
      openCache(state, ['']);
      const trained = layer.apply(params, two, { train: true, state });
      expect(cacheLength(state, '')).toBe(0);
      const y = layer.apply(params, one, { train: false, state });
      expect(() => layer.apply(params, two, { train: false, state })).toThrow(/cache for a batch of 1, got 2/);
      state.dispose();
      treeDispose([params, one, two, trained, y]);
    });
  });

  it('drops attention weights by key', async () => {
    await expectNoLeak(async () => {
      const layer = attention(4, 1, { dropout: 0.5 });
      const [params, x] = [layer.init(key(1)), normalTensor(2, [2, 6, 4])];
      const [a, b, c] = [3, 3, 4].map((seed) => layer.apply(params, x, { train: true, key: key(seed) }));
      await expectClose(a!, b!, 0);
      expect(Array.from(await a!.data())).not.toEqual(Array.from(await c!.data()));
      expect(() => layer.apply(params, x, { train: true })).toThrow(/needs randomness/);
      treeDispose([params, x, a!, b!, c!]);
    });
  });

  it('refuses sizes that do not divide', () => {
    expect(() => attention(10, 3)).toThrow(/heads must divide dim/);
    expect(() => attention(6, 2, { rotary: true })).toThrow(/even size of heads, got 3/);
  });
});
