import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { jvp, jvpMany } from '../autodiff/index.ts';
import { interpret } from '../interpret/index.ts';
import { key, packedSigns, randomSigns } from '../random/index.ts';
import { treeDispose } from '../tree/index.ts';
import { type RankOne, rankOne, type StructuredTangent, signs } from './index.ts';

/** Numbers without a pattern. */
function some(shape: number[], seed: number): tf.Tensor {
  const size = shape.reduce((n, extent) => n * extent, 1);
  return tf.tensor(
    Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i)),
    shape,
  );
}

const make = (directions?: number, shape?: number[], n = 6, m = 4) => {
  const lead = directions === undefined ? [] : [directions];
  return rankOne(some([...lead, n], 1), some([...lead, m], 2), shape);
};

/** Programs with a weight [6, 4] (or of 24 numbers) that structured tangents go through. */
const programs: Record<string, { shape: number[]; run: (w: tf.Tensor, x: tf.Tensor) => tf.Tensor }> = {
  x·W: { shape: [6, 4], run: (w, x) => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D) },
  'W through a reshape': {
    shape: [6, 4],
    run: (w, x) => tf.matMul(tf.reshape(x, [1, 5, 6]), tf.reshape(tf.clone(w), [1, 6, 4])),
  },
  x·Wᵀ: {
    shape: [6, 4],
    run: (w, x) => tf.matMul(tf.slice(x, [0, 0], [5, 4]) as tf.Tensor2D, w as tf.Tensor2D, false, true),
  },
  'both factors depend on it': {
    shape: [6, 4],
    run: (w, x) => {
      const h = tf.tanh(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)) as tf.Tensor2D;
      return tf.matMul(h, w as tf.Tensor2D, false, true);
    },
  },
  'fused with bias and relu': {
    shape: [6, 4],
    run: (w, x) =>
      tf.fused.matMul({ a: x as tf.Tensor2D, b: w as tf.Tensor2D, bias: tf.ones([4]), activation: 'relu' }),
  },
  convolution: {
    shape: [3, 1, 2, 4],
    run: (w, x) => tf.conv2d(tf.reshape(x, [1, 5, 3, 2]) as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
  },
  'look-up': {
    shape: [6, 4],
    run: (w) =>
      tf.gather(
        w,
        tf.tensor2d(
          [
            [0, 5],
            [3, 3],
          ],
          [2, 2],
          'int32',
        ),
      ),
  },
  'anything else': { shape: [6, 4], run: (w) => tf.exp(tf.transpose(w)) },
};

describeEachBackend('rankOne', () => {
  it('is u vᵀ, scales, and adds itself', async () => {
    await expectNoLeak(async () => {
      const leaf = make();
      const expected = tf.tidy(() => tf.outerProduct(leaf.u as tf.Tensor1D, leaf.v as tf.Tensor1D));
      const dense = leaf.materialize();
      await expectClose(dense, expected, 1e-7);
      const half = leaf.scale(0.5);
      leaf.dispose();
      leaf.dispose();
      const target = some([6, 4], 3);
      const wanted = tf.tidy(() => tf.add(target, tf.mul(dense, 0.5 * -3)));
      const sum = half.addTo(target, -3);
      expect(target.isDisposed).toBe(true);
      await expectClose(sum, wanted, 1e-6);
      const v = tf.tidy(() => tf.variable(some([6, 4], 3)));
      const added = half.addTo(v, -3);
      await expectClose(added, wanted, 1e-6);
      const untouched = some([6, 4], 3);
      await expectClose(v, untouched, 0);
      treeDispose([half, expected, dense, wanted, sum, v, added, untouched] as never);
    });
  });

  it('outlives a tidy, and refuses factors that do not fit', async () => {
    await expectNoLeak(() => {
      let leaf: RankOne | undefined;
      tf.tidy(() => {
        leaf = make(2, [2, 3, 2, 4]);
      });
      const dense = leaf!.materialize();
      expect(dense.shape).toEqual([2, 3, 2, 4]);
      tf.dispose(dense);
      leaf!.dispose();
      const [u, v] = [tf.ones([3]), tf.ones([2])];
      expect(() => rankOne(u, v, [2, 3])).toThrow(/u \[3\] and v \[2\] do not make \[2,3\]/);
      tf.dispose([u, v]);
    });
  });

  for (const [name, { shape, run }] of Object.entries(programs)) {
    it(`as a tangent equals its dense form: ${name}`, async () => {
      await expectNoLeak(async () => {
        const [w, x, dx] = [some(shape, 4), some([5, 6], 5), some([5, 6], 6)];
        const leaf = make(undefined, shape);
        const dense = leaf.materialize();
        for (const along of [null, dx]) {
          const [out, tangent] = jvp(run, [w, x], [leaf, along]);
          const [same, expected] = jvp(run, [w, x], [dense, along]);
          await expectClose(tangent, expected, 1e-5);
          treeDispose([out, tangent, same, expected]);
        }
        treeDispose([w, x, dx, leaf, dense] as never);
      });
    });

    it(`with three directions too: ${name}`, async () => {
      await expectNoLeak(async () => {
        const [w, x, dx] = [some(shape, 4), some([5, 6], 5), some([3, 5, 6], 6)];
        const leaf = make(3, [3, ...shape]);
        const dense = leaf.materialize();
        for (const along of [null, dx]) {
          const [out, tangents] = jvpMany(run, [w, x], [leaf, along]);
          const [same, expected] = jvpMany(run, [w, x], [dense, along]);
          await expectClose(tangents, expected, 1e-5);
          treeDispose([out, tangents, same, expected]);
        }
        treeDispose([w, x, dx, leaf, dense] as never);
      });
    });
  }

  it('is never stored densely by products, convolutions and look-ups', async () => {
    const sizes: number[] = [];
    const watch = {
      kernel: (n: string, i: never, a: never, next: (n: string, i: never, a: never) => tf.Tensor) => next(n, i, a),
      created: (t: tf.Tensor) => sizes.push(t.size),
    };
    // 40 × 30 numbers; nothing else here is as large.
    const { run } = programs['both factors depend on it']!;
    await expectNoLeak(() => {
      const [w, x] = [some([40, 30], 4), some([5, 40], 5)];
      const leaf = make(undefined, [40, 30], 40, 30);
      const largest = (tangent: StructuredTangent | tf.Tensor): number => {
        sizes.length = 0;
        interpret(watch as never, () => treeDispose(jvp((m: tf.Tensor) => run(m, x), [w], [tangent])));
        return sizes.filter((size) => size === 1200).length;
      };
      expect(largest(leaf)).toBe(1); // the clone of the weight
      treeDispose([w, x, leaf] as never);
    });
  });
});

describeEachBackend('signs', () => {
  it('are those of the key, in either layout', async () => {
    await expectNoLeak(async () => {
      const rows = signs(key(1), [70, 9], { factor: 2 });
      const dense = rows.materialize();
      const bits = randomSigns(key(1), [70, 9]);
      await expectClose(
        dense,
        Array.from(await bits.data(), (s) => 2 * s),
        0,
      );
      const packed = signs(key(1), [70, 9], { layout: 'packed' });
      const other = packed.materialize();
      await expectClose(other, packedSigns(key(1), 70, 9), 0);
      for (const leaf of [rows.scale(0.5), packed]) {
        const target = some([70, 9], 1);
        const wanted = tf.tidy(() => tf.add(target, tf.mul(leaf.materialize(), -0.25)));
        const sum = leaf.addTo(target, -0.25);
        await expectClose(sum, wanted, 1e-6);
        treeDispose([sum, wanted]);
      }
      expect(() => signs(key(1), [2, 3, 4], { layout: 'packed' })).toThrow(/for matrices/);
      treeDispose([dense, bits, other]);
    });
  });

  it('pass through reshapes as tangents, one key for each direction', async () => {
    await expectNoLeak(async () => {
      const [w, x] = [some([6, 4], 4), some([5, 6], 5)];
      const { run } = programs['W through a reshape']!;
      for (const layout of ['rows', 'packed'] as const) {
        const many = signs([key(1), key(2)], [6, 4], { layout });
        const [out, tangents] = jvpMany((m: tf.Tensor) => run(m, x), [w], [many]);
        for (const [k, one] of [key(1), key(2)].entries()) {
          const [value, tangent] = jvp((m: tf.Tensor) => run(m, x), [w], [signs(one, [6, 4], { layout })]);
          const mine = tf.tidy(() => tf.reshape(tf.slice(tangents, k, 1), tangent.shape));
          await expectClose(mine, tangent, 1e-6);
          treeDispose([value, tangent, mine]);
        }
        treeDispose([out, tangents]);
      }
      treeDispose([w, x]);
    });
  });
});
