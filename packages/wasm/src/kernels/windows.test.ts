import { expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { numbers, onBackend, runKernel, runs, variants } from '../testing.ts';

const size = fc.integer({ min: 1, max: 11 });
const windowSize = fc.integer({ min: 1, max: 4 });
const stride = fc.integer({ min: 1, max: 3 });
const shapes = fc
  .record({
    ...{
      batch: fc.integer({ min: 1, max: 4 }),
      height: size,
      width: size,
      channels: fc.constantFrom(1, 3, 4, 6, 9, 18),
    },
    ...{ kh: windowSize, kw: windowSize, down: stride, across: stride, multiplier: fc.constantFrom(1, 1, 2) },
    pad: fc.constantFrom<'same' | 'valid'>('same', 'valid'),
  })
  .filter(({ height, width, kh, kw, pad }) => pad === 'same' || (height >= kh && width >= kw));
type Shapes = typeof shapes extends fc.Arbitrary<infer S> ? S : never;

const image = ({ batch, height, width, channels }: Shapes, seed = 1): tf.Tensor4D =>
  tf.tensor4d(numbers(batch * height * width * channels, seed), [batch, height, width, channels]);

/** The gradient of average-pooling in plain JavaScript; the cpu backend's is wrong at padded borders. */
function avgPoolGradient(s: Shapes, dy: Float32Array, outHeight: number, outWidth: number): Float32Array {
  const pads = [s.height, s.width].map((n, i) => {
    const [out, k, step] = i === 0 ? [outHeight, s.kh, s.down] : [outWidth, s.kw, s.across];
    return s.pad === 'valid' ? 0 : Math.floor(Math.max(0, (out - 1) * step + k - n) / 2);
  }) as [number, number];
  const dx = new Float32Array(s.batch * s.height * s.width * s.channels);
  for (let o = 0; o < dy.length; o++) {
    const [c, x] = [o % s.channels, Math.floor(o / s.channels) % outWidth];
    const [y, b] = [
      Math.floor(o / s.channels / outWidth) % outHeight,
      Math.floor(o / s.channels / outWidth / outHeight),
    ];
    const inside: number[] = [];
    for (let ky = 0; ky < s.kh; ky++) {
      for (let kx = 0; kx < s.kw; kx++) {
        const [iy, ix] = [y * s.down - pads[0] + ky, x * s.across - pads[1] + kx];
        if (iy < 0 || ix < 0 || iy >= s.height || ix >= s.width) continue;
        inside.push(((b * s.height + iy) * s.width + ix) * s.channels + c);
      }
    }
    for (const i of inside) dx[i] = dx[i]! + dy[o]! / inside.length;
  }
  return dx;
}

/** Square windows within the image: tfjs counts both sizes from the height of window and stride where padding is a number. */
const fits = ({ height, width, kh, kw, down, across }: Shapes): boolean =>
  kh === kw && down === across && down <= kh && Math.min(height, width) >= kh;

describe.each(variants)('windows, relaxed: $relaxed, threads: $threads', (options) => {
  afterAll(restore);

  const everywhere = async (f: (s: Shapes) => tf.Tensor, keep: (s: Shapes) => boolean = () => true): Promise<void> => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(shapes.filter(keep), async (s) => {
        await expectNoLeak(async () => {
          await expectClose(await onBackend('wasm', () => f(s)), await onBackend('cpu', () => f(s)), 2e-5);
        });
      }),
      { numRuns: runs(40) },
    );
  };

  it('max-pooling, also where all values are negative', async () => {
    await everywhere((s) => {
      const x = tf.sub(image(s), 2) as tf.Tensor4D;
      const attrs = { filterSize: [s.kh, s.kw], strides: [s.down, s.across], pad: s.pad };
      const y = tf.maxPool(x, [s.kh, s.kw], [s.down, s.across], s.pad);
      return runKernel('MaxPoolGrad', { dy: tf.tensor4d(numbers(y.size, 2), y.shape), input: x, output: y }, attrs);
    });
  });

  it('max-pooling of windows side by side', async () => {
    await trainable(options);
    const tiles = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      down: stride,
      across: stride,
      channels: fc.nat(9),
    });
    await fc.assert(
      fc.asyncProperty(tiles, async ({ batch, down, across, channels: extra }) => {
        const f = (): tf.Tensor => {
          const shape = [batch, down * 3, across * 4, 1 + extra] as [number, number, number, number];
          // Whole numbers, so that a window often has its largest value twice.
          const x = tf.round(tf.mul(tf.tensor4d(numbers(tf.util.sizeFromShape(shape), 1), shape), 2)) as tf.Tensor4D;
          const y = tf.maxPool(x, [down, across], [down, across], 'valid');
          const attrs = { filterSize: [down, across], strides: [down, across], pad: 'valid' };
          return runKernel('MaxPoolGrad', { dy: tf.tensor4d(numbers(y.size, 2), y.shape), input: x, output: y }, attrs);
        };
        await expectNoLeak(async () => expectClose(await onBackend('wasm', f), await onBackend('cpu', f), 0));
      }),
      { numRuns: runs(40) },
    );
  });

  it('max-pooling forward, with any rounding of the size', async () => {
    await everywhere((s) => tf.maxPool(image(s), [s.kh, s.kw], [s.down, s.across], s.pad));
    await everywhere((s) => tf.maxPool(image(s), [s.kh, s.kw], [s.down, s.across], 0, 'ceil'), fits);
  });

  it('average-pooling, in parts that add up to dy', async () => {
    await trainable(options);
    await fc.assert(
      fc.asyncProperty(shapes, async (s) => {
        const x = image(s);
        const y = tf.avgPool(x, [s.kh, s.kw], [s.down, s.across], s.pad);
        const values = numbers(y.size, 2);
        const dy = tf.tensor4d(values, y.shape);
        const attrs = { filterSize: [s.kh, s.kw], strides: [s.down, s.across], pad: s.pad };
        const dx = runKernel<tf.Tensor>('AvgPoolGrad', { dy, input: x }, attrs);
        expect(dx.shape).toEqual(x.shape);
        await expectClose(dx, avgPoolGradient(s, values, y.shape[1], y.shape[2]), 1e-5);
        tf.dispose([x, y, dy, dx]);
      }),
      { numRuns: runs(40) },
    );
  });

  const depthwise = (s: Shapes, name: 'x' | 'w'): tf.Tensor => {
    const x = image(s);
    const shape: [number, number, number, number] = [s.kh, s.kw, s.channels, s.multiplier];
    const filter = tf.tensor4d(numbers(tf.util.sizeFromShape(shape), 3), shape);
    const attrs = { strides: [s.down, s.down] as [number, number], pad: s.pad, dilations: [1, 1] };
    const y = tf.depthwiseConv2d(x, filter, attrs.strides, s.pad);
    const dy = tf.tensor4d(numbers(y.size, 4), y.shape);
    if (name === 'x') {
      return runKernel('DepthwiseConv2dNativeBackpropInput', { dy, filter }, { ...attrs, inputShape: x.shape });
    }
    return runKernel('DepthwiseConv2dNativeBackpropFilter', { x, dy }, { ...attrs, filterShape: shape });
  };

  it('depthwise convolution forward, dilated, with bias and activation', () =>
    everywhere(
      (s) => {
        const shape: [number, number, number, number] = [s.kh, s.kw, s.channels, s.multiplier];
        const filter = tf.tensor4d(numbers(tf.util.sizeFromShape(shape), 3), shape);
        const plain = tf.depthwiseConv2d(image(s), filter, s.down, s.pad);
        const dilated = { x: image(s), filter, strides: 1, dilations: s.across, pad: s.pad };
        const bias = tf.tensor1d(numbers(s.channels * s.multiplier, 4));
        const fused = tf.fused.depthwiseConv2d({ ...dilated, bias, activation: 'relu' });
        return tf.concat([plain, fused].map((t) => tf.reshape(t, [-1])));
      },
      (s) => s.pad === 'same' || Math.min(s.height, s.width) > 3 * (Math.max(s.kh, s.kw) - 1),
    ));
  it('depthwise convolution, the input', () => everywhere((s) => depthwise(s, 'x')));
  it('depthwise convolution, the filter', () => everywhere((s) => depthwise(s, 'w')));
});
