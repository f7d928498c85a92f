import type * as tf from '@tensorflow/tfjs-core';

/** What becomes of a gradient. */
export type Verdict = 'right' | 'wrong' | 'throws';

/** A function of float tensors whose gradient is checked. */
export interface GradientCase {
  readonly name: string;
  readonly f: (...xs: tf.Tensor[]) => tf.Tensor;
  readonly shapes: readonly (readonly number[])[];
  /** In stock tfjs 4.22.0 with tfjs-layers, in Node. */
  readonly stock: Verdict;
  /** Once `ensureGradients` ran. */
  readonly now: Verdict;
  /** Where the inputs lie: [0.3, 1.3], or [-1, 1] with zeros; [-1, 1] if left out. */
  readonly domain?: 'positive' | 'zeros';
  /** Stock wasm lacks a kernel for it, so that only cpu is checked. */
  readonly noWasm?: boolean;
  /** TensorFlow refuses it: unsorted indices, dilation of channels first, padding by a number. */
  readonly noTensorflow?: boolean;
}

type Options = Partial<Pick<GradientCase, 'domain' | 'noWasm' | 'noTensorflow'>>;

/** Silently wrong in stock tfjs. A name stands for all cases that begin with it and a comma. */
const stockWrong = [
  'floorDiv',
  'cumsum, first axis',
  'mirrorPad',
  'avgPool, same',
  'avgPool, padded by a number',
  'avgPool3d, same',
  'resizeNearestNeighbor, centres',
];

/** Refused by stock tfjs: no gradient is registered, or the registered one fails. */
const stockThrows = [
  ...['maximum', 'minimum', 'squaredDifference'].flatMap((name) => [`${name}, b broadcast`, `${name}, a broadcast`]),
  'matMul, a of one batch',
  'matMul, b of one batch',
  'prod',
  'prod over axes',
  'prod with zeros',
  'unstack into one',
  'split into one',
  'cumprod',
  'cumprod with zeros',
  'gather, one batch axis',
  'gather by a rank of the value',
  'gatherND',
  'scatterND',
  'tensorScatterUpdate',
  'sparseToDense',
  'stridedSlice',
  'topk',
  'depthToSpace',
  'diag',
  'where of the value itself',
  'where of comparisons',
  'where of or',
  'where of any',
  'einsum',
  'conv2d, dilated',
  'conv1d, dilated',
  'depthwiseConv2d, dilated',
  'separableConv2d, dilated',
  'batchNorm without scale',
  'batchNorm without scale and offset',
  'batchNorm of rank 2',
  'resizeBilinear',
  'flipLeftRight',
];

/** Refused still: docs/gradients.md lists them. */
const missing = ['cropAndResize', 'rotateWithOffset', 'fft', 'rfft'];

/** A case with inputs of `sizes`, e.g. `'2x3 3'`. */
export function one(name: string, sizes: string, f: GradientCase['f'], options: Options = {}): GradientCase {
  const listed = (names: readonly string[]): boolean =>
    names.some((start) => name === start || name.startsWith(`${start},`));
  const now = listed(missing) ? 'throws' : 'right';
  const stock = listed(stockWrong) ? 'wrong' : listed(stockThrows) ? 'throws' : now;
  const shapes = sizes.split(' ').map((shape) => shape.split('x').map(Number));
  return { name, shapes, f, stock, now, ...options };
}
