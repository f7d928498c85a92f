import { describeEachBackend, expectClose, expectNoLeak, normals } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';

/** Where nearest-neighbour resizing reads from. */
function source(i: number, size: number, out: number, corners: boolean): number {
  const aligned = corners && out > 1;
  const at = i * ((aligned ? size - 1 : size) / (aligned ? out - 1 : out));
  return Math.min(size - 1, Math.floor(at + (corners ? 0.5 : 0)));
}

describeEachBackend('repaired kernels', () => {
  it('expm1 and log1p keep their digits near 0', async () => {
    const xs = [-0.9, -0.39, -0.1, -1e-6, -1e-20, 0, 1e-30, 1e-6, 1e-3, 0.3, 0.41, 0.5, 3].map(Math.fround);
    for (const [f, exact] of [
      [tf.expm1, Math.expm1],
      [tf.log1p, Math.log1p],
    ] as const) {
      await expectNoLeak(async () => {
        const x = tf.tensor1d(xs);
        const y = f(x);
        const values = await y.data();
        for (const [i, at] of xs.entries()) {
          expect(Math.abs(values[i]! - exact(at)), `at ${at}`).toBeLessThanOrEqual(3e-6 * Math.abs(exact(at)));
        }
        tf.dispose([x, y]);
      });
    }
  });

  it('argMax and argMin of a vector are scalars', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([3, 9, -2]);
      const [most, least] = [tf.argMax(x), tf.argMin(x)];
      expect([most.shape, least.shape]).toEqual([[], []]);
      expect([(await most.data())[0], (await least.data())[0]]).toEqual([1, 2]);
      tf.dispose([x, most, least]);
    });
  });

  it.each([
    { size: [3, 4], out: [7, 5], corners: false },
    { size: [6, 5], out: [2, 3], corners: false },
    { size: [4, 4], out: [7, 1], corners: true },
    { size: [5, 3], out: [4, 9], corners: true },
  ])(
    'resizeNearestNeighbor has its gradient for several images, $size to $out, corners $corners',
    async ({ size, out, corners }) => {
      const [height, width] = size as [number, number];
      const [outHeight, outWidth] = out as [number, number];
      const [images, channels] = [3, 2];
      const dy = normals(1, images * outHeight * outWidth * channels);
      const expected = new Float64Array(images * height * width * channels);
      for (let b = 0, i = 0; b < images; b++) {
        for (let y = 0; y < outHeight; y++) {
          for (let x = 0; x < outWidth; x++) {
            const row = source(y, height, outHeight, corners);
            const column = source(x, width, outWidth, corners);
            for (let c = 0; c < channels; c++)
              expected[((b * height + row) * width + column) * channels + c]! += dy[i++]!;
          }
        }
      }
      await expectNoLeak(async () => {
        const gradient = tf.tidy(() => {
          const x = tf.zeros([images, height, width, channels]) as tf.Tensor4D;
          const cotangent = tf.tensor4d(dy, [images, outHeight, outWidth, channels]);
          return tf.grad((z) => tf.image.resizeNearestNeighbor(z as tf.Tensor4D, [outHeight, outWidth], corners))(
            x,
            cotangent,
          );
        });
        await expectClose(gradient, expected);
        gradient.dispose();
      });
    },
  );

  it('transposes integers and booleans', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor3d([16777217, 2, 3, 4, 5, -6], [1, 2, 3], 'int32');
      const flags = tf.tensor2d([1, 0, 0, 1, 1, 0], [3, 2], 'bool');
      const [y, turned] = [tf.transpose(x, [2, 0, 1]), tf.transpose(flags)];
      expect([y.shape, turned.shape]).toEqual([
        [3, 1, 2],
        [2, 3],
      ]);
      expect([...(await y.data())]).toEqual([16777217, 4, 2, 5, 3, -6]);
      expect([...(await turned.data())]).toEqual([1, 0, 1, 0, 1, 0]);
      tf.dispose([x, flags, y, turned]);
    });
  });

  it('sums, products and matrices over nothing are 0 and 1', async () => {
    await expectNoLeak(async () => {
      const results = tf.tidy(() => [
        tf.sum(tf.zeros([2, 0]), 1),
        tf.prod(tf.zeros([0, 3]), 0),
        tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3])),
        tf.sum(tf.zeros([0]), 0, true),
      ]);
      expect(results.map(({ shape }) => shape)).toEqual([[2], [3], [2, 3], [1]]);
      const values = await Promise.all(results.map((result) => result.data()));
      expect(values.map((value) => [...value])).toEqual([[0, 0], [1, 1, 1], [0, 0, 0, 0, 0, 0], [0]]);
      tf.dispose(results);
    });
  });
});
