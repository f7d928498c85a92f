import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expectNoLeak, largestDifference } from '@frugal/test-support';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { firstDifference, onBackend, runs, variants } from '../testing.ts';

const size = fc.oneof(
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 70 }),
  fc.constantFrom(255, 256, 257, 300),
);
const shapes = fc.record({ m: size, n: size, k: size, ta: fc.boolean(), tb: fc.boolean(), seed: fc.nat(1000) });

describe.each(variants)('matmul, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it('equals the cpu backend over sizes and transpositions', async () => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(shapes, async ({ m, n, k, ta, tb, seed }) => {
        const f = () =>
          tf.matMul(
            tf.randomUniform(ta ? [k, m] : [m, k], -1, 1, 'float32', seed),
            tf.randomUniform(tb ? [n, k] : [k, n], -1, 1, 'float32', seed + 1),
            ta,
            tb,
          );
        expect(await largestDifference(await onBackend('wasm', f), await onBackend('cpu', f))).toBeLessThan(3e-5);
      }),
      { numRuns: runs(60) },
    );
  });

  it('broadcasts batches of every kind', async () => {
    await trainable(options);
    const cases: [number[], number[], boolean, boolean][] = [
      [[3, 5, 7], [3, 7, 4], false, false],
      [[3, 5, 7], [7, 4], false, false],
      [[5, 7], [3, 7, 9], false, false],
      [[2, 1, 6, 7], [1, 3, 7, 9], false, false],
      [[2, 1, 7, 6], [3, 9, 7], true, true],
      [[4, 2, 33, 16], [4, 2, 33, 16], false, true],
      [[6, 2, 1, 8], [6, 2, 8, 3], false, false],
    ];
    for (const [a, b, ta, tb] of cases) {
      const operands = () =>
        [tf.randomUniform(a, -1, 1, 'float32', 1), tf.randomUniform(b, -1, 1, 'float32', 2)] as const;
      const ours = await onBackend('wasm', () => tf.matMul(...operands(), ta, tb));
      // The cpu backend is wrong where both sides broadcast, so its operands are spread out first.
      const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.slice(0, -2), b.slice(0, -2));
      const spread = (x: tf.Tensor) => tf.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
      const plain = await onBackend('cpu', () => {
        const [x, y] = operands();
        return tf.matMul(spread(x), spread(y), ta, tb);
      });
      expect(await largestDifference(ours, plain), `[${a}] × [${b}]`).toBeLessThan(1e-5);
    }
  });

  it('knows empty operands', async () => {
    await trainable(options);
    const rows = await onBackend('wasm', () => tf.matMul(tf.ones([0, 5, 7]), tf.ones([7, 4])));
    expect(rows.length).toBe(0);
    const depth = await onBackend('wasm', () => tf.matMul(tf.ones([3, 5, 0]), tf.ones([3, 0, 4])));
    expect([...depth]).toEqual(Array(60).fill(0));
  });

  it('fuses bias and activation', async () => {
    await trainable(options);
    for (const activation of ['linear', 'relu', 'relu6', 'elu', 'leakyrelu', 'sigmoid', 'prelu'] as const) {
      for (const bias of [[13], undefined]) {
        for (const [m, n] of [
          [21, 13],
          [2, 13],
        ] as const) {
          const f = () =>
            tf.fused.matMul({
              a: tf.randomUniform([m, 40], -2, 2, 'float32', 3),
              b: tf.randomUniform([n, 40], -2, 2, 'float32', 4),
              transposeB: true,
              ...(bias && { bias: tf.randomUniform(bias, -2, 2, 'float32', 5) }),
              activation,
              leakyreluAlpha: 0.3,
              ...(activation === 'prelu' && { preluActivationWeights: tf.randomUniform([n], -1, 1, 'float32', 6) }),
            });
          expect(
            await largestDifference(await onBackend('wasm', f), await onBackend('cpu', f)),
            activation,
          ).toBeLessThan(2e-5);
        }
      }
    }
  });

  it('does not leak', async () => {
    await trainable(options);
    await expectNoLeak(() => tf.dispose(tf.tidy(() => tf.matMul(tf.ones([30, 40]), tf.ones([40, 3])))));
  });
});

describe('bits of matmul', () => {
  afterAll(restore);
  const product = (m: number) =>
    onBackend('wasm', () => {
      const a = tf.randomUniform([200, 700], -1, 1, 'float32', 7) as tf.Tensor2D;
      const b = tf.randomUniform([700, 500], -1, 1, 'float32', 8) as tf.Tensor2D;
      return tf.slice(tf.matMul(tf.slice(a, 0, m), b), 0, 1);
    });
  const rows = (m: number, tb: boolean) =>
    onBackend('wasm', () => {
      const a = tf.randomUniform([20, 391], -1, 1, 'float32', 7) as tf.Tensor2D;
      const b = tf.randomUniform(tb ? [1030, 391] : [391, 1030], -1, 1, 'float32', 8) as tf.Tensor2D;
      return tf.matMul(tf.slice(a, 0, m), b, false, tb);
    });

  it.each([false, true])('of a row do not depend on the number of rows or threads (relaxed: %s)', async (relaxed) => {
    await trainable({ threads: 1, relaxed });
    const one = await product(1);
    for (const m of [2, 3, 4, 5, 6, 7, 200]) expect(await product(m)).toEqual(one);
    await trainable({ threads: 2, relaxed });
    for (const m of [1, 4, 200]) expect(await product(m)).toEqual(one);
  });

  it.each([false, true])('of up to nine rows are those of twenty (transposed: %s)', async (tb) => {
    await trainable({ threads: 1 });
    const many = await rows(20, tb);
    for (let m = 1; m <= 9; m++) {
      expect(firstDifference(await rows(m, tb), many.subarray(0, m * 1030)), `${m} rows`).toBe(-1);
    }
  });

  it.each([false, true])('of an update of little depth are those of fewer rows (transposed: %s)', async (ta) => {
    await trainable({ threads: 1 });
    // 117 · 790 numbers of B do not fit the scratch memory at once.
    const update = (m: number) =>
      onBackend('wasm', () => {
        const a = tf.randomUniform([500, 117], -1, 1, 'float32', 7) as tf.Tensor2D;
        const b = tf.randomUniform([117, 790], -1, 1, 'float32', 8) as tf.Tensor2D;
        const some = tf.slice(a, 0, m);
        return tf.matMul(ta ? tf.transpose(some) : some, b, ta);
      });
    const all = await update(500);
    for (const m of [20, 150]) expect(firstDifference(await update(m), all.subarray(0, m * 790)), `${m}`).toBe(-1);
  });

  it('of few columns equal those of many', async () => {
    await trainable({ threads: 1 });
    const columns = (n: number) =>
      onBackend('wasm', () => {
        const a = tf.randomUniform([50, 700], -1, 1, 'float32', 7) as tf.Tensor2D;
        const b = tf.randomUniform([700, 40], -1, 1, 'float32', 8) as tf.Tensor2D;
        return tf.slice(tf.matMul(a, tf.slice(b, [0, 0], [700, n])), [0, 0], [50, 1]);
      });
    const one = await columns(1);
    for (const n of [2, 4, 5, 9, 40]) expect(await columns(n)).toEqual(one);
  });
});
