import { cpu, useBackend } from '@frugal/tensor';
import { expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { KernelName } from '../kernels/names.ts';
import { formulasOf } from './formulas.ts';
import { type Cost, flops, meter, registerFlops } from './index.ts';

beforeAll(async () => {
  await useBackend(cpu());
});

/** Depend on the values, not on shapes: the meter lists them as unknown. */
const unpredictable = ['NonMaxSuppressionV3', 'NonMaxSuppressionV4', 'NonMaxSuppressionV5'];

it('knows every kernel of tfjs and of our own, but those that depend on values', () => {
  const names = [...tf.getKernelsForBackend('cpu').map(({ kernelName }) => kernelName), ...Object.values(KernelName)];
  expect(names.length).toBeGreaterThan(170);
  const without = names.filter((name) => formulasOf(name) === undefined && !name.startsWith('Test'));
  expect(without.sort()).toEqual(unpredictable);
});

const x4 = () => tf.ones([2, 8, 9, 3]) as tf.Tensor4D;
const x5 = () => tf.ones([1, 4, 4, 4, 2]) as tf.Tensor5D;
const vector = (n: number) => tf.ones([n]) as tf.Tensor1D;
const matrix = (rows: number, columns: number) => tf.ones([rows, columns]) as tf.Tensor2D;
const grad = (f: (x: tf.Tensor4D) => tf.Tensor, x: tf.Tensor4D) => tf.grad(f as never)(x);

// Counts worked out by hand from the shapes, not from the formulas.
const cases: [what: string, run: () => tf.Tensor | tf.Tensor[], kernel: string, flops: number][] = [
  ['a product [4, 5]·[5, 6]', () => tf.matMul(matrix(4, 5), matrix(5, 6)), 'BatchMatMul', 2 * 4 * 5 * 6],
  ['a product, both transposed', () => tf.matMul(matrix(5, 4), matrix(6, 5), true, true), 'BatchMatMul', 240],
  ['a batch of products', () => tf.matMul(tf.ones([3, 4, 5]), tf.ones([3, 5, 6])), 'BatchMatMul', 3 * 240],
  ['a broadcast product', () => tf.matMul(tf.ones([3, 4, 5]), tf.ones([1, 5, 6])), 'BatchMatMul', 3 * 240],
  [
    'a fused dense layer',
    () => tf.fused.matMul({ a: matrix(4, 5), b: matrix(5, 6), bias: vector(6), activation: 'relu' }),
    '_FusedMatMul',
    240 + 24 + 24,
  ],
  [
    'a convolution, valid',
    () => tf.conv2d(x4(), tf.ones([3, 3, 3, 7]), 1, 'valid'),
    'Conv2D',
    2 * (2 * 6 * 7 * 7) * 27,
  ],
  [
    'a convolution, same, strides 2',
    () => tf.conv2d(x4(), tf.ones([3, 3, 3, 7]), 2, 'same'),
    'Conv2D',
    2 * (2 * 4 * 5 * 7) * 27,
  ],
  [
    'a dilated convolution',
    () => tf.conv2d(x4(), tf.ones([3, 3, 3, 7]), 1, 'valid', 'NHWC', 2),
    'Conv2D',
    2 * (2 * 4 * 5 * 7) * 27,
  ],
  [
    'a gradient of a convolution by its input',
    () => grad((x) => tf.conv2d(x, tf.ones([3, 3, 3, 7]), 1, 'valid'), x4()),
    'Conv2DBackpropInput',
    2 * (2 * 6 * 7 * 7) * 27,
  ],
  [
    'a gradient of a convolution by its filter',
    () => grad((w) => tf.conv2d(x4(), w, 1, 'valid'), tf.ones([3, 3, 3, 7])),
    'Conv2DBackpropFilter',
    2 * (2 * 6 * 7 * 7) * 27,
  ],
  [
    'a transposed convolution',
    () => tf.conv2dTranspose(tf.ones([1, 4, 4, 7]) as tf.Tensor4D, tf.ones([2, 2, 3, 7]), [1, 8, 8, 3], 2, 'valid'),
    'Conv2DBackpropInput',
    2 * (4 * 4 * 7) * (2 * 2 * 3),
  ],
  [
    'a fused convolution',
    () =>
      tf.fused.conv2d({
        x: x4(),
        filter: tf.ones([1, 1, 3, 7]),
        strides: 1,
        pad: 'valid',
        bias: vector(7),
        activation: 'sigmoid',
      }),
    'FusedConv2D',
    2 * 72 * 7 * (2 * 3 + 1 + 4),
  ],
  [
    'a depthwise convolution',
    () => tf.depthwiseConv2d(x4(), tf.ones([3, 3, 3, 2]), 1, 'valid'),
    'DepthwiseConv2dNative',
    2 * (2 * 6 * 7 * 6) * 9,
  ],
  [
    'a gradient of a depthwise convolution by its input',
    () => grad((x) => tf.depthwiseConv2d(x, tf.ones([3, 3, 3, 2]), 1, 'valid'), x4()),
    'DepthwiseConv2dNativeBackpropInput',
    2 * (2 * 6 * 7 * 6) * 9,
  ],
  [
    'a gradient of a depthwise convolution by its filter',
    () => grad((w) => tf.depthwiseConv2d(x4(), w, 1, 'valid'), tf.ones([3, 3, 3, 2])),
    'DepthwiseConv2dNativeBackpropFilter',
    2 * (2 * 6 * 7 * 6) * 9,
  ],
  ['a convolution in 3d', () => tf.conv3d(x5(), tf.ones([2, 2, 2, 2, 5]), 1, 'valid'), 'Conv3D', 2 * (27 * 5) * 16],
  [
    'an Einstein sum',
    () => tf.einsum('bij,bjk->bik', tf.ones([3, 4, 5]), tf.ones([3, 5, 6])),
    'Einsum',
    2 * 3 * 4 * 5 * 6,
  ],
  ['an Einstein sum of one operand', () => tf.einsum('ij->i', matrix(4, 5)), 'Einsum', 20],
  ['an Einstein transposition', () => tf.einsum('ij->ji', matrix(4, 5)), 'Einsum', 0],
  ['a broadcast sum', () => tf.add(matrix(4, 5), vector(5)), 'Add', 20],
  ['a sum of four', () => tf.addN([1, 2, 3, 4].map(() => matrix(4, 5))), 'AddN', 60],
  ['a sum over an axis', () => tf.sum(matrix(4, 5), 0), 'Sum', 20],
  ['a mean', () => tf.mean(matrix(4, 5), 0), 'Mean', 25],
  ['a softmax', () => tf.softmax(matrix(4, 5)), 'Softmax', 100],
  ['a maximum over windows', () => tf.maxPool(x4(), 2, 2, 'valid'), 'MaxPool', 2 * 4 * 4 * 3 * 4],
  ['a mean over windows', () => tf.avgPool(x4(), [2, 3], 1, 'valid'), 'AvgPool', 2 * 7 * 7 * 3 * 6],
  ['a maximum over windows in 3d', () => tf.maxPool3d(x5(), 2, 2, 'valid'), 'MaxPool3D', 8 * 2 * 8],
  [
    'a gradient of a maximum over windows',
    () => grad((x) => tf.maxPool(x, 2, 2, 'valid'), x4()),
    'MaxPoolGrad',
    2 * 4 * 4 * 3 * 4,
  ],
  ['a batch norm', () => tf.batchNorm(x4(), vector(3), vector(3), vector(3), vector(3)), 'FusedBatchNorm', 4 * 432],
  ['a transform of Fourier', () => tf.fft(tf.complex(tf.ones([3, 8]), tf.ones([3, 8]))), 'FFT', 3 * 5 * 8 * 3],
  ['a gather', () => tf.gather(matrix(4, 5), tf.tensor1d([1, 1], 'int32')), 'GatherV2', 0],
  [
    'a sum by segments',
    () => tf.unsortedSegmentSum(matrix(4, 5), tf.tensor1d([0, 1, 0, 1], 'int32'), 2),
    'UnsortedSegmentSum',
    20,
  ],
];

it.each(cases)('counts %s', async (_what, run, kernel, expected) => {
  await expectNoLeak(() => {
    let cost: Cost | undefined;
    tf.tidy(() => {
      cost = meter(run);
    });
    const { kernels, unknown } = cost!;
    expect(kernels.find((entry) => entry.kernel === kernel)?.flops).toBe(expected);
    expect(unknown).toEqual([]);
  });
});

it('takes a formula for a kernel of the user', () => {
  expect(flops('Mine', {}, undefined, [])).toBeUndefined();
  registerFlops('Mine', (inputs, attrs, [y]) => y!.size * (attrs?.steps as number) + Object.keys(inputs).length);
  const x = vector(5);
  expect(flops('Mine', { x }, { steps: 3 }, [x])).toBe(16);
  x.dispose();
});

it('counts our own kernels', () => {
  tf.tidy(() => {
    const [p, q] = [matrix(4, 5), vector(6)];
    const step = { count: 2, learningRate: 1, gradScale: 1, decays: [0.1, 0] };
    expect(flops('FrugalSgdStep', [p, q, p, q], step, [p, q])).toBe(20 * (3 + 2) + 6 * 3);
    expect(flops('FrugalAdamStep', [p, q, p, q, p, q, p, q], { ...step, decays: [0, 0] }, [])).toBe(26 * 15);
    const segments = { x: matrix(10, 4), w: tf.ones([3, 4, 6]) };
    const attrs = { ends: [7, 7, 10], transposeW: false, activation: 'linear' };
    const y = matrix(10, 6);
    expect(flops('FrugalSegmentMatMul', segments, attrs, [y])).toBe(2 * 10 * 4 * 6);
    expect(formulasOf('FrugalSegmentMatMul')!.bytes!(segments, attrs, [y])).toBe(4 * (40 + 2 * 24 + 60));
    const tangent = { a: matrix(4, 5), b: matrix(5, 6), da: matrix(4, 5), db: matrix(5, 6) };
    const out = matrix(4, 6);
    expect(flops('FrugalMatMulTangent', tangent, { transposeA: false, transposeB: false }, [out, out])).toBe(
      3 * 240 + 24,
    );
    expect(flops('FrugalMatMulTangent', { a: tangent.a, b: tangent.b, da: tangent.da }, {}, [out, out])).toBe(2 * 240);
    const conv = { x: tf.ones([1, 6, 6, 2]), w: tf.ones([3, 3, 2, 4]), bias: vector(4) };
    expect(flops('FrugalConvReluPool', conv, { strides: 1, pad: 'valid', pool: 2 }, [tf.ones([1, 2, 2, 4])])).toBe(
      16 * 4 * (2 * 18 + 2 + 1),
    );
  });
});
