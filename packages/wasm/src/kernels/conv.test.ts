import { expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { restore, trainable } from '../index.ts';
import { firstDifference, numbers, onBackend, runKernel, runs, variants } from '../testing.ts';

const size = fc.integer({ min: 1, max: 13 });
const window = fc.integer({ min: 1, max: 5 });
const shapes = fc
  .record({
    ...{
      batch: fc.integer({ min: 1, max: 4 }),
      height: size,
      width: size,
      channels: fc.constantFrom<number>(1, 2, 3, 4, 6, 9),
    },
    ...{
      out: fc.constantFrom<number>(1, 3, 4, 5, 8, 10, 17),
      kh: window,
      kw: window,
      stride: fc.integer({ min: 1, max: 3 }),
    },
    ...{ dilation: fc.integer({ min: 1, max: 3 }), pad: fc.constantFrom<'same' | 'valid'>('same', 'valid') },
  })
  .map((s) => (s.stride > 1 ? { ...s, dilation: 1 } : s))
  .filter(
    ({ height, width, kh, kw, dilation, pad }) =>
      pad === 'same' || (height > (kh - 1) * dilation && width > (kw - 1) * dilation),
  );

type Shapes = typeof shapes extends fc.Arbitrary<infer S> ? S : never;

const image = ({ batch, height, width, channels }: Shapes): tf.Tensor4D =>
  tf.tensor4d(numbers(batch * height * width * channels, 1), [batch, height, width, channels]);
const weights = ({ kh, kw, channels, out }: Shapes): tf.Tensor4D =>
  tf.tensor4d(numbers(kh * kw * channels * out, 2), [kh, kw, channels, out]);

describe.each(variants)('convolution, relaxed: $relaxed, threads: $threads', (options) => {
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

  it('forward, any padding, stride and dilation', async () => {
    await everywhere((s) => tf.conv2d(image(s), weights(s), s.stride, s.pad, 'NHWC', s.dilation));
  });

  it('forward with bias and activation', async () => {
    await everywhere((s) => {
      const bias = tf.tensor1d(numbers(s.out, 3));
      const shared = { x: image(s), filter: weights(s), strides: s.stride, pad: s.pad, dilations: s.dilation, bias };
      return tf.fused.conv2d({ ...shared, activation: 'relu' });
    });
  });

  it('explicit padding and uneven strides', async () => {
    await everywhere(
      (s) =>
        tf.conv2d(
          image(s),
          weights(s),
          [s.stride, 1],
          [
            [0, 0],
            [1, 2],
            [3, 0],
            [0, 0],
          ],
        ),
      (s) => s.height + 3 >= s.kh && s.width + 3 >= s.kw,
    );
  });

  const gradient = (s: Shapes, name: 'x' | 'w'): tf.Tensor => {
    const [x, w] = [image(s), weights(s)];
    const y = tf.conv2d(x, w, s.stride, s.pad);
    const dy = tf.tensor4d(numbers(y.size, 4), y.shape);
    const attrs = { strides: s.stride, pad: s.pad, dataFormat: 'NHWC' };
    if (name === 'x') return runKernel('Conv2DBackpropInput', { dy, filter: w }, { ...attrs, inputShape: x.shape });
    return runKernel('Conv2DBackpropFilter', { x, dy }, { ...attrs, filterShape: w.shape });
  };

  it('gradient of the input', () =>
    everywhere(
      (s) => gradient({ ...s, dilation: 1 }, 'x'),
      (s) => s.dilation === 1,
    ));
  it('gradient of the filter', () =>
    everywhere(
      (s) => gradient({ ...s, dilation: 1 }, 'w'),
      (s) => s.dilation === 1,
    ));

  it('convolves, rectifies and pools in one pass', async () => {
    await trainable(options);
    const pooled = fc.record({ shape: shapes, pool: fc.integer({ min: 1, max: 3 }) });
    await fc.assert(
      fc.asyncProperty(pooled, async ({ shape: s, pool }) => {
        const bias = (): tf.Tensor1D => tf.tensor1d(numbers(s.out, 3));
        const size = ({ shape: [, h, w] }: tf.Tensor4D): boolean => h! >= pool && w! >= pool;
        const attrs = { strides: s.stride, pad: s.pad, pool };
        const plain = (): tf.Tensor4D => {
          const y = tf.relu(tf.add(tf.conv2d(image(s), weights(s), s.stride, s.pad), bias())) as tf.Tensor4D;
          return size(y) ? tf.maxPool(y, pool, pool, 'valid') : tf.zeros([0, 0, 0, 0]);
        };
        const expected = await onBackend('cpu', plain);
        const fused = (): tf.Tensor =>
          runKernel('FrugalConvReluPool', { x: image(s), w: weights(s), bias: bias() }, attrs);
        await expectNoLeak(async () => expectClose(await onBackend('wasm', fused), expected, 2e-5));
      }),
      { numRuns: runs(40) },
    );
  });
});

describe('convolutions of the size that threads share', () => {
  afterAll(restore);
  const s = {
    batch: 7,
    height: 15,
    width: 14,
    channels: 20,
    out: 24,
    kh: 5,
    kw: 3,
    stride: 1,
    dilation: 1,
    pad: 'same',
  } as const;

  it('have the same bits on one thread and on two', async () => {
    const all = async (threads: number): Promise<Float32Array[]> => {
      await trainable({ threads });
      const [x, w, bias] = [image(s), weights(s), tf.tensor1d(numbers(s.out, 3))];
      const y = tf.conv2d(x, w, 1, 'same');
      const attrs = { strides: 1, pad: 'same', dataFormat: 'NHWC' };
      const outputs = [
        y,
        runKernel<tf.Tensor>('Conv2DBackpropInput', { dy: y, filter: w }, { ...attrs, inputShape: x.shape }),
        runKernel<tf.Tensor>('Conv2DBackpropFilter', { x, dy: y }, { ...attrs, filterShape: w.shape }),
        runKernel<tf.Tensor>('FrugalConvReluPool', { x, w, bias }, { strides: 1, pad: 'same', pool: 2 }),
      ];
      const values = await Promise.all(outputs.map(async (t) => (await t.data()) as Float32Array));
      tf.dispose([x, w, bias, outputs]);
      return values;
    };
    const [one, two] = [await all(1), await all(2)];
    for (const [i, values] of one.entries()) expect(firstDifference(values, two[i]!), `output ${i}`).toBe(-1);
  });
});
