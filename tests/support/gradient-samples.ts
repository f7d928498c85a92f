// A call of every operation in tfjs's gradient registry, for walks over it: in Node and in a real browser.
import * as tf from '@tensorflow/tfjs-core';

/** Complex numbers, which wasm and webgl do not have. */
export const complexGradients: readonly string[] = ['ComplexAbs'];
type Op = (...xs: tf.Tensor[]) => tf.Tensor;
/** An operation, the shapes of its inputs, and where it is smooth. */
export interface GradientSample {
  readonly f: Op;
  readonly shapes: readonly number[][];
  /** Maps the inputs, which are in (−1, 1), to where the function is smooth. */
  readonly domain?: (x: tf.Tensor) => tf.Tensor;
}

const at = (f: Op, ...shapes: number[][]): GradientSample => ({ f, shapes });
const within = (f: Op, domain: (x: tf.Tensor) => tf.Tensor, ...shapes: number[][]): GradientSample => ({
  f,
  shapes,
  domain,
});
const positive = (x: tf.Tensor) => tf.add(tf.abs(x), 0.2);
const above1 = (x: tf.Tensor) => tf.add(tf.abs(x), 1.3);
const small = (x: tf.Tensor) => tf.mul(x, 0.8);
const v = [7];
const m = [3, 4];
const image = [2, 7, 6, 3];
const ints = (values: number[]) => tf.tensor1d(values, 'int32');

/** By the kernel whose gradient it asks for. */
export const gradientSamples: Record<string, GradientSample> = {
  Abs: at(tf.abs, v),
  Acos: within(tf.acos, small, v),
  Acosh: within(tf.acosh, above1, v),
  Add: at(tf.add as Op, m, [4]),
  AddN: at((a, b, c) => tf.addN([a!, b!, c!]), v, v, v),
  ArgMax: at((x) => tf.add(tf.cast(tf.argMax(x!, 1), 'float32'), tf.sum(x!, 1)), m),
  ArgMin: at((x) => tf.add(tf.cast(tf.argMin(x!, 1), 'float32'), tf.sum(x!, 1)), m),
  Asin: within(tf.asin, small, v),
  Asinh: at(tf.asinh, v),
  Atan: at(tf.atan, v),
  Atan2: at(tf.atan2 as Op, m, m),
  Atanh: within(tf.atanh, small, v),
  AvgPool: at((x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'), image),
  AvgPool3D: at((x) => tf.avgPool3d(x as tf.Tensor5D, 2, 1, 'valid'), [1, 4, 4, 3, 2]),
  BatchMatMul: at((a, b) => tf.matMul(a!, b!, true, true), [2, 4, 3], [2, 5, 4]),
  BatchToSpaceND: at(
    (x) =>
      tf.batchToSpaceND(
        x!,
        [2, 2],
        [
          [0, 0],
          [0, 1],
        ],
      ),
    [4, 2, 3, 2],
  ),
  BroadcastTo: at((x) => tf.broadcastTo(x!, [3, 4]), [1, 4]),
  Cast: at((x) => tf.cast(x!, 'float32'), v),
  Ceil: at((x) => tf.add(tf.ceil(x!), x!), v),
  ClipByValue: at((x) => tf.clipByValue(x!, -0.4, 0.5), v),
  Concat: at((a, b) => tf.concat([a!, b!], 1), m, [3, 2]),
  Conv2D: at((x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'), image, [3, 3, 3, 4]),
  Conv2DBackpropInput: at(
    (dy, w) => tf.conv2dTranspose(dy as tf.Tensor4D, w as tf.Tensor4D, [2, 8, 8, 2], 2, 'same'),
    [2, 4, 4, 3],
    [3, 3, 2, 3],
  ),
  Conv3D: at((x, w) => tf.conv3d(x as tf.Tensor5D, w as tf.Tensor5D, 1, 'same'), [1, 4, 4, 3, 2], [2, 2, 2, 2, 3]),
  Cos: at(tf.cos, v),
  Cosh: at(tf.cosh, v),
  Cumsum: at((x) => tf.cumsum(x!, 1, true, true), m),
  DepthwiseConv2dNative: at(
    (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same'),
    image,
    [3, 3, 3, 2],
  ),
  Dilation2D: at((x, w) => tf.dilation2d(x as tf.Tensor4D, w as tf.Tensor3D, 1, 'valid'), image, [2, 2, 3]),
  Elu: at(tf.elu, v),
  Erf: at(tf.erf, v),
  Exp: at(tf.exp, v),
  ExpandDims: at((x) => tf.expandDims(x!, 1), v),
  Expm1: at(tf.expm1, v),
  Floor: at((x) => tf.add(tf.floor(x!), x!), v),
  FloorDiv: within((a, b) => tf.add(tf.floorDiv(a!, b!), tf.mul(a!, b!)), positive, v, v),
  FusedBatchNorm: within(
    (x, a, b, c, d) => tf.batchNorm(x!, a as tf.Tensor1D, b as tf.Tensor1D, c as tf.Tensor1D, d as tf.Tensor1D, 1e-3),
    positive,
    image,
    [3],
    [3],
    [3],
    [3],
  ),
  GatherV2: at((x) => tf.gather(x!, ints([1, 1, 3]), 1), m),
  GreaterEqual: at((a, b) => tf.add(tf.cast(tf.greaterEqual(a!, b!), 'float32'), tf.mul(a!, b!)), v, v),
  Identity: at((x) => tf.clone(x!), v),
  IsFinite: at((x) => tf.mul(tf.cast(tf.isFinite(x!), 'float32'), x!), v),
  IsInf: at((x) => tf.add(tf.cast(tf.isInf(x!), 'float32'), x!), v),
  IsNan: at((x) => tf.add(tf.cast(tf.isNaN(x!), 'float32'), x!), v),
  LRN: at((x) => tf.localResponseNormalization(x as tf.Tensor4D, 2), image),
  LeakyRelu: at((x) => tf.leakyRelu(x!, 0.3), v),
  Log: within(tf.log, positive, v),
  Log1p: within(tf.log1p, positive, v),
  LogSoftmax: at((x) => tf.logSoftmax(x!), m),
  Max: at((x) => tf.max(x!, 0), m),
  MaxPool: at((x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'), image),
  MaxPool3D: at((x) => tf.maxPool3d(x as tf.Tensor5D, 2, 2, 'valid'), [1, 4, 4, 4, 2]),
  Maximum: at(tf.maximum as Op, m, m),
  Mean: at((x) => tf.mean(x!, [0, 2]), [3, 4, 5]),
  Min: at((x) => tf.min(x!, 1), m),
  Minimum: at(tf.minimum as Op, m, m),
  MirrorPad: at(
    (x) =>
      tf.slice(
        tf.mirrorPad(
          x!,
          [
            [1, 1],
            [2, 1],
          ],
          'reflect',
        ),
        [1, 2],
        [3, 4],
      ),
    m,
  ),
  Mod: within(tf.mod as Op, positive, v, v),
  Multiply: at(tf.mul as Op, m, [3, 1]),
  Neg: at(tf.neg, v),
  OneHot: at((x) => tf.mul(tf.oneHot(ints([0, 2, 1]), 4), x!), m),
  OnesLike: at((x) => tf.mul(tf.onesLike(x!), x!), v),
  Pack: at((a, b) => tf.stack([a!, b!], 1), m, m),
  PadV2: at(
    (x) =>
      tf.pad(
        x!,
        [
          [1, 0],
          [2, 1],
        ],
        3,
      ),
    m,
  ),
  Pow: within(tf.pow as Op, positive, v, v),
  Prelu: at(tf.prelu as Op, m, [4]),
  Prod: at((x) => tf.prod(x!, 1), m),
  RealDiv: within(tf.div as Op, positive, m, [4]),
  Reciprocal: within(tf.reciprocal, positive, v),
  Relu: at(tf.relu, v),
  Relu6: at((x) => tf.relu6(tf.mul(x!, 9)), v),
  Reshape: at((x) => tf.reshape(x!, [2, 6]), m),
  ResizeBilinear: at((x) => tf.image.resizeBilinear(x as tf.Tensor4D, [5, 9]), image),
  // One image: the cpu backend's gradient is wrong (NaN) from the second on.
  ResizeNearestNeighbor: at((x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [3, 3]), [1, 6, 6, 3]),
  Reverse: at((x) => tf.reverse(x!, 1), m),
  Round: at((x) => tf.add(tf.round(x!), x!), v),
  Rsqrt: within(tf.rsqrt, positive, v),
  Select: at((a, b) => tf.where(tf.tensor1d([1, 0, 1, 0, 0, 1, 1], 'bool'), a!, b!), v, v),
  Selu: at(tf.selu, v),
  Sigmoid: at(tf.sigmoid, v),
  Sign: at((x) => tf.add(tf.sign(x!), x!), v),
  Sin: at(tf.sin, v),
  Sinh: at(tf.sinh, v),
  Slice: at((x) => tf.slice(x!, [1, 1], [2, 2]), m),
  Softmax: at((x) => tf.softmax(x!), m),
  Softplus: at(tf.softplus, v),
  SpaceToBatchND: at(
    (x) =>
      tf.spaceToBatchND(
        x!,
        [2, 2],
        [
          [0, 0],
          [0, 1],
        ],
      ),
    [1, 4, 5, 2],
  ),
  SplitV: at((x) => tf.mul(...(tf.split(x!, 2, 1) as [tf.Tensor, tf.Tensor])), m),
  Sqrt: within(tf.sqrt, positive, v),
  Square: at(tf.square, v),
  SquaredDifference: at(tf.squaredDifference as Op, m, m),
  Step: at((x) => tf.add(tf.step(x!), x!), v),
  Sub: at(tf.sub as Op, m, [1, 4]),
  Sum: at((x) => tf.sum(x!, 1), m),
  Tan: at(tf.tan, v),
  Tanh: at(tf.tanh, v),
  Tile: at((x) => tf.tile(x!, [2, 3]), m),
  Transpose: at((x) => tf.transpose(x!, [2, 0, 1]), [2, 3, 4]),
  Unpack: at((x) => tf.mul(...(tf.unstack(x!, 0) as [tf.Tensor, tf.Tensor])), [2, 5]),
  UnsortedSegmentSum: at((x) => tf.unsortedSegmentSum(x!, ints([1, 0, 1]), 3), m),
  ZerosLike: at((x) => tf.add(tf.zerosLike(x!), x!), v),
};

/** Numbers in (−1, 1) that depend on the seed alone. */
function waves(size: number, seed: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) * 0.99);
}

/** The value and the gradients, one after the other in one vector. */
export function valueAndGradients({ f, shapes, domain = (x) => x }: GradientSample): tf.Tensor {
  const xs = shapes.map((shape, i) => domain(tf.tensor(waves(tf.util.sizeFromShape(shape), i + 5), shape)));
  const y = f(...xs);
  const dy = tf.tensor(waves(y.size, 99), y.shape);
  const grads = tf.grads((...inputs) => f(...inputs))(xs, dy);
  return tf.concat([y, ...grads].map((t) => tf.cast(tf.reshape(t, [-1]), 'float32')));
}

/** The kernels that have a gradient. */
export const gradientNames = (): string[] =>
  Object.values(tf as Record<string, unknown>).filter(
    (name): name is string => typeof name === 'string' && tf.getGradient(name) !== undefined,
  );
