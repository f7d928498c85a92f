import * as tf from '@tensorflow/tfjs-core';
import { type GradientCase, one } from './case.ts';

const ints = (...values: number[]) => tf.tensor1d(values, 'int32');

const as4 = (x: tf.Tensor | undefined) => x as tf.Tensor4D;

const unary = (
  [
    'abs',
    'acos',
    'asin',
    'asinh',
    'atan',
    'atanh',
    'cos',
    'cosh',
    'elu',
    'erf',
    'exp',
    'expm1',
    'log1p',
    'neg',
    'relu',
    'relu6',
    'selu',
    'sigmoid',
    'sin',
    'sinh',
    'softplus',
    'square',
    'tan',
    'tanh',
    'leakyRelu',
    'ceil',
    'floor',
    'round',
    'sign',
    'step',
    'zerosLike',
    'onesLike',
    'logSigmoid',
  ] as const
).map((name) => one(name, '2x3', (x) => tf[name](x!)));

const positive = (['log', 'sqrt', 'rsqrt', 'reciprocal', 'acosh'] as const).map((name) =>
  one(name, '2x3', (x) => tf[name](name === 'acosh' ? tf.add(x!, 1) : x!), { domain: 'positive' }),
);

const binary = (
  ['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum', 'squaredDifference', 'atan2', 'mod', 'floorDiv'] as const
).flatMap((name) => {
  return [
    one(`${name}, equal shapes`, '2x3 2x3', (a, b) => tf[name](a!, b!), { domain: 'positive' }),
    one(`${name}, b broadcast`, '2x3 3', (a, b) => tf[name](a!, b!), { domain: 'positive' }),
    one(`${name}, a broadcast`, '1x3 4x2x1', (a, b) => tf[name](a!, b!), { domain: 'positive' }),
  ];
});

const reductions = [
  one('sum over axes', '2x3x4', (x) => tf.sum(x!, [0, 2])),
  one('mean', '2x3x4', (x) => tf.mean(x!, [1], true)),
  one('prod', '2x3', (x) => tf.prod(x!, 1)),
  one('prod over axes', '2x3x2', (x) => tf.prod(x!, [0, 2])),
  one('prod with zeros', '3x4', (x) => tf.prod(x!, 1), { domain: 'zeros' }),
  one('max', '2x5', (x) => tf.max(x!, 1)),
  one('min over all', '2x5', (x) => tf.min(x!)),
  one('logSumExp', '2x5', (x) => tf.logSumExp(x!, 1)),
  one('cumsum', '2x5', (x) => tf.cumsum(x!, 1, true, true)),
  one('cumsum, first axis', '4x4', (x) => tf.cumsum(x!, 0)),
  one('cumprod', '2x5', (x) => tf.cumprod(x!, 1)),
  one('cumprod, exclusive and reverse', '5x2', (x) => tf.cumprod(x!, 0, true, true)),
  one('cumprod with zeros', '4x5', (x) => tf.cumprod(x!, 1), { domain: 'zeros' }),
  one('cumprod with zeros, exclusive', '4x5', (x) => tf.cumprod(x!, 1, true), { domain: 'zeros' }),
  one('cumprod with zeros, reverse', '4x5', (x) => tf.cumprod(x!, 1, false, true), { domain: 'zeros' }),
  one('norm', '2x5', (x) => tf.norm(x!, 2, 1)),
  one('softmax', '2x5', (x) => tf.softmax(x!)),
  one('logSoftmax', '2x5', (x) => tf.logSoftmax(x!)),
  one('unsortedSegmentSum', '4x2', (x) => tf.unsortedSegmentSum(x!, ints(0, 2, 0, 1), 3), { noWasm: true }),
];

const movement = [
  one('reshape', '2x6', (x) => tf.reshape(x!, [3, 4])),
  one('expandDims', '2x6', (x) => tf.expandDims(x!, 1)),
  one('transpose', '2x3x4', (x) => tf.transpose(x!, [2, 0, 1])),
  one('slice', '4x5', (x) => tf.slice(x!, [1, 2], [2, 3])),
  one('concat', '2x3 2x1', (a, b) => tf.concat([a!, b!], 1)),
  one('stack', '2x3 2x3', (a, b) => tf.stack([a!, b!], 1)),
  one('unstack', '2x3', (x) => tf.unstack(x!, 1)[1]!),
  one('unstack into one', '2x1', (x) => tf.unstack(x!, 1)[0]!),
  one('split into one', '2x3', (x) => tf.split(x!, 1, 1)[0]!),
  one('split', '2x5', (x) => tf.split(x!, [2, 3], 1)[1]!),
  one('tile', '2x3', (x) => tf.tile(x!, [2, 3])),
  one('broadcastTo', '2x1', (x) => tf.broadcastTo(x!, [4, 2, 3])),
  one('reverse', '2x3', (x) => tf.reverse(x!, 1)),
  one('pad', '2x3', (x) =>
    tf.pad(
      x!,
      [
        [1, 2],
        [0, 1],
      ],
      7,
    ),
  ),
  one('mirrorPad, reflect', '3x4', (x) =>
    tf.mirrorPad(
      x!,
      [
        [2, 1],
        [0, 3],
      ],
      'reflect',
    ),
  ),
  one('mirrorPad, symmetric', '3x4', (x) =>
    tf.mirrorPad(
      x!,
      [
        [2, 3],
        [4, 0],
      ],
      'symmetric',
    ),
  ),
  one('gather', '4x3', (x) => tf.gather(x!, ints(2, 0, 2)), { noWasm: true }),
  one('gather over axis 1', '2x4x3', (x) => tf.gather(x!, ints(2, 0, 2), 1), { noWasm: true }),
  one('gather over axis -1', '2x4', (x) => tf.gather(x!, ints(2, 0, 2), -1), { noWasm: true }),
  one(
    'gather, one batch axis',
    '2x4x3',
    (x) =>
      tf.gather(
        x!,
        tf.tensor2d(
          [
            [0, 2],
            [1, 1],
          ],
          [2, 2],
          'int32',
        ),
        1,
        1,
      ),
    { noWasm: true },
  ),
  one('gatherND', '3x4x2', (x) =>
    tf.gatherND(
      x!,
      tf.tensor2d(
        [
          [0, 1],
          [2, 3],
          [0, 1],
        ],
        [3, 2],
        'int32',
      ),
    ),
  ),
  one('scatterND', '3x2', (x) => tf.scatterND(tf.tensor2d([[1], [4], [1]], [3, 1], 'int32'), x!, [5, 2])),
  one(
    'tensorScatterUpdate',
    '4x2 2x2',
    (x, u) => tf.tensorScatterUpdate(tf.add(x!, 0), tf.tensor2d([[1], [3]], [2, 1], 'int32'), u!),
    { noWasm: true },
  ),
  one('sparseToDense', '3', (x) => tf.sparseToDense(ints(1, 4, 2), x as tf.Tensor1D, [5]), {
    noTensorflow: true,
  }),
  one('stridedSlice', '6x5', (x) => tf.stridedSlice(x!, [1, 0], [6, 5], [2, 3])),
  one('stridedSlice, backwards', '6x5', (x) => tf.stridedSlice(x!, [5, 4], [0, 0], [-2, -1])),
  one('stridedSlice, masks', '6x5x4', (x) => tf.stridedSlice(x!, [2, 1, 1], [3, 4, 2], [1, 2, 3], 2, 4)),
  one('stridedSlice, one row', '6x5x4', (x) => tf.stridedSlice(x!, [-2, 1], [0, 4], [1, 1], 0, 0, 0, 0, 1)),
  one('stridedSlice, ellipsis and new axis', '6x5', (x) =>
    tf.stridedSlice(x!, [0, 0, 1], [0, 0, 4], [1, 1, 2], 0, 0, 1, 2, 0),
  ),
  one('topk', '3x6', (x) => tf.topk(x!, 3).values),
  one('batchToSpaceND', '4x2x2x1', (x) =>
    tf.batchToSpaceND(
      x!,
      [2, 2],
      [
        [0, 1],
        [1, 0],
      ],
    ),
  ),
  one('spaceToBatchND', '1x4x4x1', (x) =>
    tf.spaceToBatchND(
      x!,
      [2, 2],
      [
        [0, 0],
        [2, 0],
      ],
    ),
  ),
  one('depthToSpace', '2x2x3x8', (x) => tf.depthToSpace(as4(x), 2)),
  one('diag', '3', (x) => tf.diag(x!), { noWasm: true }),
  one('cast', '2x3', (x) => tf.cast(tf.mul(x!, 2), 'float32')),
  one('where of the value itself', '2x5', (x) => tf.where(tf.greater(x!, 0), tf.square(x!), tf.neg(x!))),
  one('where of comparisons', '2x5 2x5', (a, b) =>
    tf.where(tf.logicalAnd(tf.lessEqual(a!, b!), tf.logicalNot(tf.equal(a!, 0))), a!, tf.mul(a!, b!)),
  ),
  one('where of or, broadcast', '2x5 5', (a, b) =>
    tf.where(tf.logicalOr(tf.less(a!, b!), tf.notEqual(b!, b!)), a!, tf.mul(a!, b!)),
  ),
  one('where of any', '2x5', (x) => tf.where(tf.any(tf.greater(x!, 0.2), 1, true), x!, tf.square(x!))),
  one('gather by a rank of the value', '4', (x) => tf.gather(x!, tf.argMax(x!)), { noWasm: true }),
  one('prelu', '2x5 5', (x, a) => tf.prelu(x!, a!)),
  one('clipByValue', '2x5', (x) => tf.clipByValue(x!, -0.5, 0.5)),
  one('addN', '2x3 2x3 2x3', (...xs) => tf.addN(xs)),
];

/** Element-wise functions, reductions, and what moves values. */
export const tensorCases: readonly GradientCase[] = [...unary, ...positive, ...binary, ...reductions, ...movement];
