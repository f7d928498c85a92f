import { treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectClose, normalTensor } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { convTranspose2d } from './conv-transpose2d.ts';
import { conv2d } from './conv2d.ts';
import { depthwiseConv2d } from './depthwise-conv2d.ts';
import type { Padding } from './spec.ts';

interface Axis {
  size: number;
  kernel: number;
  stride: number;
  dilation: number;
}

/** Output size and zeros before the start, as TensorFlow and PyTorch define them. */
function geometry({ size, kernel, stride, dilation }: Axis, padding: Padding): { out: number; before: number } {
  const reach = (kernel - 1) * dilation + 1;
  if (padding === 'same') {
    const out = Math.ceil(size / stride);
    return { out, before: Math.floor(Math.max(0, (out - 1) * stride + reach - size) / 2) };
  }
  const before = padding === 'valid' ? 0 : padding;
  return { out: Math.floor((size + 2 * before - reach) / stride) + 1, before };
}

/** Convolution of one image in plain loops; depthwise where `multiplier` is given. */
async function convolved(
  x: tf.Tensor,
  weight: tf.Tensor,
  [rows, columns]: [Axis, Axis],
  padding: Padding,
  depthwise: boolean,
): Promise<{ shape: number[]; values: number[] }> {
  const [image, filter] = [await x.data(), await weight.data()];
  const [inC, outC] = weight.shape.slice(2) as [number, number];
  const [y, x0] = [geometry(rows, padding), geometry(columns, padding)];
  const channels = depthwise ? inC * outC : outC;
  const values = new Array<number>(y.out * x0.out * channels).fill(0);
  for (let oy = 0; oy < y.out; oy++) {
    for (let ox = 0; ox < x0.out; ox++) {
      for (let ky = 0; ky < rows.kernel; ky++) {
        for (let kx = 0; kx < columns.kernel; kx++) {
          const iy = oy * rows.stride + ky * rows.dilation - y.before;
          const ix = ox * columns.stride + kx * columns.dilation - x0.before;
          if (iy < 0 || ix < 0 || iy >= rows.size || ix >= columns.size) continue;
          for (let i = 0; i < inC; i++) {
            for (let o = 0; o < outC; o++) {
              const tap = filter[((ky * columns.kernel + kx) * inC + i) * outC + o]!;
              const channel = depthwise ? i * outC + o : o;
              values[(oy * x0.out + ox) * channels + channel]! += tap * image[(iy * columns.size + ix) * inC + i]!;
            }
          }
        }
      }
    }
  }
  return { shape: [1, y.out, x0.out, channels], values };
}

const axis = fc.record({
  size: fc.integer({ min: 1, max: 7 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
});
const geometries = fc
  .record({
    axes: fc.tuple(axis, axis),
    channels: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 })),
    padding: fc.constantFrom<Padding>('same', 'valid', 0, 1, 2),
    depthwise: fc.boolean(),
  })
  // tfjs takes strides or dilations, and padding below the kernel's size.
  .map(({ axes, ...rest }) => {
    const strided = axes.some(({ stride }) => stride > 1);
    return { ...rest, axes: axes.map((a) => ({ ...a, dilation: strided ? 1 : a.dilation })) as [Axis, Axis] };
  })
  .filter(({ axes, padding }) => axes.every((a) => geometry(a, padding).out >= 1))
  .filter(({ axes, padding }) => typeof padding !== 'number' || axes.every(({ kernel }) => kernel > padding));

describeEachBackend('convolutions of any geometry', () => {
  it('equal plain loops', async () => {
    const check = async ({
      axes,
      channels,
      padding,
      depthwise,
    }: typeof geometries extends fc.Arbitrary<infer G> ? G : never) => {
      const [inC, outC] = channels;
      const [kernel, strides, dilation] = (['kernel', 'stride', 'dilation'] as const).map((name) => [
        axes[0][name],
        axes[1][name],
      ]) as [[number, number], [number, number], [number, number]];
      const options = { strides, dilation, padding, bias: false } as const;
      const x = normalTensor(1, [1, axes[0].size, axes[1].size, inC]);
      const weight = normalTensor<tf.Rank.R4>(2, [...kernel, inC, outC]);
      const layer = depthwise
        ? depthwiseConv2d(inC, kernel, { ...options, multiplier: outC })
        : conv2d(inC, outC, kernel, options);
      const y = layer.apply({ weight }, x);
      const expected = await convolved(x, weight, axes, padding, depthwise);
      expect(y.shape).toEqual(expected.shape);
      await expectClose(y, expected.values, 1e-5);
      treeDispose([x, weight, y]);
    };
    await fc.assert(fc.asyncProperty(geometries, check), { numRuns: 60, seed: 1 });
  });

  it('transposed ones are adjoints of the others', async () => {
    const check = async ({ axes, channels, padding }: typeof geometries extends fc.Arbitrary<infer G> ? G : never) => {
      const [inC, outC] = channels;
      const kernel = axes.map((a) => a.kernel) as [number, number];
      const strides = axes.map((a) => a.stride) as [number, number];
      const options = { strides, padding, bias: false } as const;
      const y = normalTensor(1, [1, axes[0].size, axes[1].size, outC]);
      const weight = normalTensor<tf.Rank.R4>(2, [...kernel, inC, outC]);
      const up = convTranspose2d(outC, inC, kernel, options).apply({ weight }, y);
      const x = normalTensor(3, up.shape);
      const down = conv2d(inC, outC, kernel, options).apply({ weight }, x);
      expect(down.shape).toEqual(y.shape);
      const [here, there] = tf.tidy(() => [tf.sum(tf.mul(x, up)), tf.sum(tf.mul(y, down))]);
      await expectClose(here!, await there!.data(), 1e-4);
      treeDispose([x, y, weight, up, down, here!, there!]);
    };
    const possible = geometries.filter(({ axes, padding }) =>
      axes.every(({ size, kernel, stride }) => {
        const zeros = typeof padding === 'number' ? padding : 0;
        return padding === 'same' || (size - 1) * stride + kernel - 2 * zeros >= 1;
      }),
    );
    await fc.assert(fc.asyncProperty(possible, check), { numRuns: 40, seed: 2 });
  });
});
