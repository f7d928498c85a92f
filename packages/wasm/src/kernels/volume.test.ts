import { ensureGradients } from '@frugal/tensor';
import '@tensorflow/tfjs-backend-cpu';
import { expectNoLeak, largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { numbers, onBackend, runs, variants } from '../testing.ts';

const tensor = (shape: number[], seed: number, shift = 0): tf.Tensor =>
  tf.tensor(
    numbers(tf.util.sizeFromShape(shape), seed).map((v) => v + shift),
    shape,
  );

const both = async (f: () => tf.Tensor) => largestDifference(await onBackend('wasm', f), await onBackend('cpu', f));
const pads = fc.constantFrom('same', 'valid') as fc.Arbitrary<'same' | 'valid'>;
const extent = fc.integer({ min: 3, max: 6 });
const window = fc.integer({ min: 1, max: 3 });

/** The function's value and its gradients, one vector. */
function everything(f: (...xs: tf.Tensor[]) => tf.Tensor, xs: tf.Tensor[]): tf.Tensor {
  const y = f(...xs);
  const grads = tf.grads(f)(xs, tensor(y.shape, 9));
  return tf.concat([y, ...grads].map((t) => tf.reshape(t, [-1])));
}

describe.each(variants)('volumes and dilation, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  it('conv3d has right gradients', async () => {
    await trainable(options);
    await ensureGradients();
    const sizes = fc.tuple(
      extent,
      extent,
      extent,
      window,
      window,
      window,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(sizes, window, pads, async ([d, h, w, a, b, c, into, out], stride, pad) => {
        const f = () =>
          everything(
            (x, k) => tf.conv3d(x as tf.Tensor5D, k as tf.Tensor5D, stride, pad),
            [tensor([2, d, h, w, into], 1), tensor([a, b, c, into, out], 2)],
          );
        expect(await both(f)).toBeLessThan(2e-5);
      }),
      { numRuns: runs(15) },
    );
  });

  it.each([0, -5])('dilation2d and its gradients, numbers around %s', async (shift) => {
    await trainable(options);
    await ensureGradients();
    const sizes = fc.tuple(extent, extent, window, window, fc.integer({ min: 1, max: 5 }));
    await fc.assert(
      fc.asyncProperty(
        sizes,
        window,
        pads,
        fc.integer({ min: 1, max: 2 }),
        async ([h, w, a, b, channels], stride, pad, dilations) => {
          fc.pre(pad === 'same' || (a - 1) * dilations < h);
          fc.pre(pad === 'same' || (b - 1) * dilations < w);
          const f = () =>
            everything(
              (x, k) => tf.dilation2d(x as tf.Tensor4D, k as tf.Tensor3D, stride, pad, dilations),
              [tensor([2, h, w, channels], 1, shift), tensor([a, b, channels], 2)],
            );
          expect(await both(f)).toBeLessThan(1e-5);
        },
      ),
      { numRuns: runs(15) },
    );
  });

  it('does not leak', async () => {
    await trainable(options);
    await ensureGradients();
    await expectNoLeak(() =>
      tf.tidy(() => {
        everything(
          (x, k) => tf.conv3d(x as tf.Tensor5D, k as tf.Tensor5D, 1, 'same'),
          [tf.ones([1, 3, 3, 3, 2]), tf.ones([2, 2, 2, 2, 2])],
        );
        everything(
          (x, k) => tf.dilation2d(x as tf.Tensor4D, k as tf.Tensor3D, 1, 'same'),
          [tf.ones([1, 3, 3, 2]), tf.ones([2, 2, 2])],
        );
      }),
    );
  });
});
