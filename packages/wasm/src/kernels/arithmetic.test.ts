// Element-wise kernels, sums and einsum against the cpu backend.
import '@tensorflow/tfjs-backend-cpu';
import { expectNoLeak, largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { numbers, onBackend, runs, variants } from '../testing.ts';

const tensor = (shape: number[], seed = 1, size = 3): tf.Tensor =>
  tf.tensor(
    numbers(tf.util.sizeFromShape(shape), seed).map((v) => v * size),
    shape,
  );

async function expectEqual(f: () => tf.Tensor, tolerance: number, what = ''): Promise<void> {
  expect(await largestDifference(await onBackend('wasm', f), await onBackend('cpu', f)), what).toBeLessThan(tolerance);
}

const binaries = {
  add: tf.add,
  sub: tf.sub,
  mul: tf.mul,
  div: tf.div,
  maximum: tf.maximum,
  minimum: tf.minimum,
  squaredDifference: tf.squaredDifference,
};
const unaries: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  neg: tf.neg,
  abs: tf.abs,
  square: tf.square,
  sqrt: (x) => tf.sqrt(tf.abs(x)),
  rsqrt: (x) => tf.rsqrt(tf.add(tf.abs(x), 0.1)),
  reciprocal: tf.reciprocal,
  exp: tf.exp,
  log: (x) => tf.log(tf.abs(x)),
  relu: tf.relu,
  relu6: (x) => tf.relu6(tf.mul(x, 4)),
  elu: tf.elu,
  leakyRelu: (x) => tf.leakyRelu(x, 0.3),
  sigmoid: tf.sigmoid,
  tanh: tf.tanh,
  step: tf.step,
  stepBelow: (x) => tf.step(x, 0.25),
  softmax: (x) => tf.softmax(tf.reshape(x, [1, -1])),
};
const extremes = [
  0,
  -0,
  1e-3,
  -1e-3,
  88,
  -88,
  104,
  -104,
  1e10,
  -1e10,
  1e-38,
  1e-42,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
];

describe.each(variants)('arithmetic, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it.each(Object.keys(binaries) as (keyof typeof binaries)[])('%s broadcasts', async (name) => {
    await trainable(options);
    const axes = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.constantFrom('both', 'both', 'a', 'b')), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(axes, fc.nat(2), async (extents, dropped) => {
        const shape = (side: string) => extents.map(([extent, who]) => (who === 'both' || who === side ? extent : 1));
        const b = shape('b');
        // Leading axes of extent 1 may be missing.
        while (b.length > 0 && b[0] === 1 && dropped > 0) b.shift();
        await expectEqual(
          () => binaries[name](tensor(shape('a'), 1), tensor(b, 2)),
          1e-6,
          `[${shape('a')}] and [${b}]`,
        );
      }),
      { numRuns: runs(25) },
    );
  });

  it('large operands, shared out to threads', async () => {
    await trainable(options);
    await expectEqual(() => tf.mul(tensor([1100, 1000]), tensor([1000], 2)), 1e-6);
    await expectEqual(() => tf.add(tensor([1100_003]), tensor([1100_003], 2)), 1e-6);
    await expectEqual(() => tf.tanh(tensor([1100_003])), 1e-6);
  });

  it.each(Object.keys(unaries))('%s', async (name) => {
    await trainable(options);
    for (const n of [1, 2, 3, 4, 5, 131]) await expectEqual(() => unaries[name]!(tensor([n], n, 5)), 2e-6, `${n}`);
  });

  it.each(
    Object.keys(unaries).filter((name) => !['softmax', 'rsqrt', 'reciprocal', 'step', 'stepBelow'].includes(name)),
  )('%s at extremes', async (name) => {
    await trainable(options);
    const f = () => unaries[name]!(tf.tensor1d(extremes));
    const [ours, plain] = [await onBackend('wasm', f), await onBackend('cpu', f)];
    for (const [i, x] of extremes.entries()) {
      const [a, b] = [ours[i]!, plain[i]!];
      const close = Object.is(a, b) || a === b || Math.abs(a - b) <= 2e-6 * (1 + Math.abs(b));
      expect(close, `${name}(${x}) is ${a}, expected ${b}`).toBe(true);
    }
  });

  it('softmax of extreme rows', async () => {
    await trainable(options);
    await expectEqual(() => tf.softmax(tf.tensor2d([1000, -1000, 999, 0, 0, 0, -1e9, 5, -1e9], [3, 3])), 1e-6);
    await expectEqual(() => tf.softmax(tensor([7, 5, 33])), 1e-6);
  });

  it('sums, means and extremes over any axes', async () => {
    await trainable(options);
    const cases = fc.tuple(
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
      fc.nat(31),
      fc.boolean(),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([shape, bits, keepDims]) => {
        const axis = shape.flatMap((_, i) => ((bits >> i) & 1 ? [i] : []));
        for (const reduce of [tf.sum, tf.mean, tf.max, tf.min]) {
          const f = () => reduce(tensor(shape), axis, keepDims);
          await expectEqual(f, 1e-5, `${reduce.name} of [${shape}] over [${axis}]`);
          expect(tf.tidy(() => f().shape)).toEqual(tf.tidy(() => tf.add(f(), 0).shape));
        }
      }),
      { numRuns: runs(20) },
    );
  });

  it('sums long lines and tall columns without losing digits', async () => {
    await trainable(options);
    const ones = 2 ** 24 + 2 ** 23;
    expect([...(await onBackend('wasm', () => tf.mean(tf.ones([ones]))))]).toEqual([1]);
    const columns = await onBackend('wasm', () => tf.sum(tf.fill([100_000, 3], 0.1), 0));
    for (const sum of columns) expect(Math.abs(sum - 10_000) / 10_000).toBeLessThan(1e-6);
  });

  it('einsum', async () => {
    await trainable(options);
    const sizes: Record<string, number> = { a: 2, b: 3, c: 4, d: 5, e: 6 };
    for (const equation of [
      'ab,bc->ac',
      'ab,cb->ac',
      'ba,bc->ac',
      'abc,acd->abd',
      'abc,adc->abd',
      'cab,cad->cbd',
      'ab,ab->',
      'ab,cd->abcd',
      'abc->ca',
      'abc->b',
      'abc->',
      'ab,ab->ab',
      'abcd,aecd->acbe',
      'bacd,beac->abde',
      'a,b->ba',
      'ab->ab',
    ]) {
      const f = () => {
        const [left] = equation.split('->');
        return tf.einsum(
          equation,
          ...left!.split(',').map((term, i) =>
            tensor(
              [...term].map((c) => sizes[c]!),
              i + 1,
            ),
          ),
        );
      };
      await expectEqual(f, 1e-5, equation);
    }
    // The cpu backend takes two tensors at most.
    const three = [tensor([2, 3], 1), tensor([3, 4], 2), tensor([4, 2], 3)] as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
    const [a, b, c] = three;
    const chain = tf.matMul(tf.matMul(a, b), c);
    const [ours, trace] = [tf.einsum('ab,bc,cd->ad', ...three), tf.einsum('ab,bc,ca->', ...three)];
    expect(await largestDifference(ours, chain)).toBeLessThan(1e-5);
    const diagonal = await chain.data();
    expect((await trace.data())[0]).toBeCloseTo(diagonal[0]! + diagonal[3]!, 4);
    tf.dispose([three, chain, ours, trace]);
    // … and is wrong where two letters vanish.
    const vanishing = await onBackend('wasm', () => tf.einsum('abc,d->cb', tensor([2, 3, 4]), tensor([5], 2)));
    const plain = () => tf.mul(tf.transpose(tf.sum(tensor([2, 3, 4]), 0)), tf.sum(tensor([5], 2)));
    expect(await largestDifference(vanishing, await onBackend('cpu', plain))).toBeLessThan(1e-5);
    await expectNoLeak(() => tf.dispose(tf.tidy(() => tf.einsum('abc,d->cb', tensor([2, 3, 4]), tensor([5])))));
    tf.tidy(() => {
      expect(() => tf.einsum('ab,bc->ac', tf.ones([2, 3]), tf.ones([4, 5]))).toThrow(/'b' has 3 and 4/);
    });
  });

  it('keeps int32 on the stock kernels', async () => {
    await trainable(options);
    await expectEqual(() => tf.add(tf.tensor1d([1, 2, 2 ** 30], 'int32'), tf.tensor1d([5, -7, 3], 'int32')), 1e-9);
    await expectEqual(() => tf.sum(tf.tensor1d([2 ** 24, 1, 1], 'int32')), 1e-9);
    await expectEqual(() => tf.max(tf.tensor2d([1, 5, 3, 2], [2, 2], 'int32'), 1), 1e-9);
  });
});
