import * as tf from '@tensorflow/tfjs-core';
import { type GradientCase, one } from './case.ts';

const ints = (...values: number[]) => tf.tensor1d(values, 'int32');
const as4 = (x: tf.Tensor | undefined) => x as tf.Tensor4D;

const products = [
  one('matMul', '2x3 3x4', (a, b) => tf.matMul(a!, b!)),
  one('matMul, transposed', '3x2 4x3', (a, b) => tf.matMul(a!, b!, true, true)),
  one('matMul, batches', '2x3x4 2x4x5', (a, b) => tf.matMul(a!, b!)),
  one('matMul, a of one batch', '1x3x4 2x4x5', (a, b) => tf.matMul(a!, b!)),
  one('matMul, b of one batch', '2x4x3 1x5x4', (a, b) => tf.matMul(a!, b!, true, true)),
  one('dot', '3 3', (a, b) => tf.dot(a!, b!)),
  one('outerProduct', '3 2', (a, b) => tf.outerProduct(a as tf.Tensor1D, b as tf.Tensor1D)),
  one('einsum, product', '2x3 3x4', (a, b) => tf.einsum('ij,jk->ik', a!, b!), { noWasm: true }),
  one('einsum, attention', '2x3x2x4 2x5x2x4', (q, k) => tf.einsum('bthd,bshd->bhts', q!, k!), { noWasm: true }),
  one('einsum, outer', '2 3', (a, b) => tf.einsum('i,j->ji', a!, b!), { noWasm: true }),
  one('einsum, sum of one', '2x3', (a) => tf.einsum('ij->j', a!), { noWasm: true }),
  one('einsum, projection', '2x3x4 4x2x3', (x, w) => tf.einsum('btd,dhk->bthk', x!, w!), { noWasm: true }),
  one('einsum, transposition', '2x3', (a) => tf.einsum('ij->ji', a!), { noWasm: true }),
  one('fused matMul', '2x3 3x4 4', (a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation: 'relu' })),
];

const layers = [
  one('conv2d', '2x5x6x2 3x2x2x3', (x, w) => tf.conv2d(as4(x), as4(w), [2, 1], 'same'), { noWasm: true }),
  one('conv2d, dilated', '2x7x8x2 3x2x2x3', (x, w) => tf.conv2d(as4(x), as4(w), 1, 'valid', 'NHWC', [2, 3])),
  one('conv2d, dilated, same', '2x5x6x2 3x3x2x3', (x, w) => tf.conv2d(as4(x), as4(w), 1, 'same', 'NHWC', 2)),
  one('conv2d, dilated, padded by a number', '1x5x6x2 3x3x2x3', (x, w) => tf.conv2d(as4(x), as4(w), 1, 1, 'NHWC', 2)),
  one('conv2d, dilated, NCHW', '1x2x5x6 3x3x2x3', (x, w) => tf.conv2d(as4(x), as4(w), 1, 'same', 'NCHW', 2), {
    noWasm: true,
    noTensorflow: true,
  }),
  one('conv1d, dilated', '2x9x2 3x2x3', (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 1, 'same', 'NWC', 2)),
  one('conv2dTranspose', '1x3x3x2 2x2x3x2', (x, w) => tf.conv2dTranspose(as4(x), as4(w), [1, 6, 6, 3], 2, 'same'), {
    noWasm: true,
  }),
  one('depthwiseConv2d', '1x5x6x2 3x2x2x2', (x, w) => tf.depthwiseConv2d(as4(x), as4(w), 1, 'same'), { noWasm: true }),
  one('depthwiseConv2d, dilated', '2x7x8x2 3x2x2x2', (x, w) =>
    tf.depthwiseConv2d(as4(x), as4(w), 1, 'valid', 'NHWC', 2),
  ),
  one('depthwiseConv2d, dilated, same', '1x5x6x3 3x3x3x1', (x, w) =>
    tf.depthwiseConv2d(as4(x), as4(w), 1, 'same', 'NHWC', 2),
  ),
  one(
    'separableConv2d, dilated',
    '1x6x6x2 3x3x2x1 1x1x2x3',
    (x, d, p) => tf.separableConv2d(as4(x), as4(d), as4(p), 1, 'same', 2),
    { noWasm: true },
  ),
  one('conv3d', '1x3x4x3x2 2x2x2x2x2', (x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 1, 'same'), {
    noWasm: true,
  }),
  one('maxPool', '1x5x6x2', (x) => tf.maxPool(as4(x), [2, 3], 2, 'same'), { noWasm: true }),
  one('avgPool, valid', '1x5x6x2', (x) => tf.avgPool(as4(x), [2, 3], 1, 'valid')),
  one('avgPool, same', '2x5x6x2', (x) => tf.avgPool(as4(x), [3, 2], [2, 1], 'same')),
  one('avgPool, padded by a number', '1x5x6x2', (x) => tf.avgPool(as4(x), 3, 2, 1), { noTensorflow: true }),
  one('avgPool, same, one image', '5x5x2', (x) => tf.avgPool(x as tf.Tensor3D, 3, 1, 'same')),
  one('maxPool3d', '1x3x4x3x1', (x) => tf.maxPool3d(x as tf.Tensor5D, 2, 1, 'same'), { noWasm: true }),
  one('avgPool3d, valid', '1x3x4x3x1', (x) => tf.avgPool3d(x as tf.Tensor5D, 2, 1, 'valid'), { noWasm: true }),
  one('avgPool3d, same', '1x3x4x3x2', (x) => tf.avgPool3d(x as tf.Tensor5D, [2, 3, 2], 2, 'same'), {
    noWasm: true,
  }),
  one('avgPool3d stepping over the border', '1x4x3x4x2', (x) => tf.avgPool3d(x as tf.Tensor5D, 1, 2, 'same'), {
    noWasm: true,
  }),
  one('batchNorm', '2x3x2x3 3 3 3', (x, m, o, s) =>
    tf.batchNorm(as4(x), m as tf.Tensor1D, tf.tensor1d([1, 2, 3]), o as tf.Tensor1D, s as tf.Tensor1D, 1e-3),
  ),
  one('batchNorm without scale', '2x3x2x3 3 3', (x, m, o) =>
    tf.batchNorm(as4(x), m as tf.Tensor1D, tf.tensor1d([1, 2, 3]), o as tf.Tensor1D, undefined, 1e-3),
  ),
  one(
    'batchNorm without scale and offset, by the variance',
    '2x3x2x3 3',
    (x, v) => tf.batchNorm(as4(x), tf.tensor1d([0.1, 0.2, 0.3]), v as tf.Tensor1D, undefined, undefined, 1e-3),
    { domain: 'positive' },
  ),
  one('batchNorm of rank 2', '4x3 3 3', (x, m, s) =>
    tf.batchNorm(x as tf.Tensor2D, m as tf.Tensor1D, tf.tensor1d([1, 2, 3]), undefined, s as tf.Tensor1D, 1e-3),
  ),
  one('localResponseNormalization', '1x2x2x5', (x) => tf.localResponseNormalization(as4(x), 1)),
  one('resizeBilinear', '1x3x4x2', (x) => tf.image.resizeBilinear(as4(x), [5, 3]), { noWasm: true }),
  one('resizeBilinear, centres', '1x3x4x2', (x) => tf.image.resizeBilinear(as4(x), [5, 3], false, true), {
    noWasm: true,
  }),
  one('resizeNearestNeighbor', '1x3x4x2', (x) => tf.image.resizeNearestNeighbor(as4(x), [5, 3]), { noWasm: true }),
  one('resizeNearestNeighbor, centres', '1x3x4x2', (x) => tf.image.resizeNearestNeighbor(as4(x), [5, 3], false, true), {
    noWasm: true,
  }),
  one('cropAndResize', '1x4x4x2', (x) =>
    tf.image.cropAndResize(as4(x), tf.tensor2d([[0, 0, 0.5, 1]]), ints(0), [3, 3]),
  ),
  one('rotateWithOffset', '1x4x4x2', (x) => tf.image.rotateWithOffset(as4(x), 0.3)),
  one('flipLeftRight', '1x4x4x2', (x) => tf.image.flipLeftRight(as4(x))),
  one('dilation2d', '1x4x4x2 2x2x2', (x, w) => tf.dilation2d(as4(x), w as tf.Tensor3D, 1, 'same'), { noWasm: true }),
  one('fft', '2x4', (x) => tf.abs(tf.fft(tf.complex(x!, tf.zerosLike(x!)))), { noWasm: true }),
  one('rfft', '2x4', (x) => tf.real(tf.spectral.rfft(x!)), { noWasm: true }),
  one('softmaxCrossEntropy', '3x4', (x) => tf.losses.softmaxCrossEntropy(tf.oneHot(ints(0, 3, 1), 4), x!)),
  one('sigmoidCrossEntropy', '3x4', (x) => tf.losses.sigmoidCrossEntropy(tf.oneHot(ints(0, 3, 1), 4), x!)),
  one('huberLoss', '3x4', (x) => tf.losses.huberLoss(tf.zeros([3, 4]), x!, undefined, 0.3)),
  one('absoluteDifference', '3x4', (x) => tf.losses.absoluteDifference(tf.zeros([3, 4]), x!)),
  one('cosineDistance', '3x4', (x) => tf.losses.cosineDistance(tf.ones([3, 4]), x!, 1)),
  one('dropout', '3x4', (x) => tf.dropout(x!, 0.5, undefined, 7)),
];

/** Products, layers, images, losses. */
export const layerCases: readonly GradientCase[] = [...products, ...layers];
