import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, define, dim, kernel, type Program } from '../program.ts';

const flag = fc.boolean();

function matrices(label: string, a: number[], b: number[], run: Program['run']): Program {
  return {
    label,
    inputs: [
      { shape: a, domain: 'any' },
      { shape: b, domain: 'any' },
    ],
    run,
  };
}

/** Shapes of a product, with batches in front. */
const matMuls = (batches: fc.Arbitrary<[number[], number[]]>): fc.Arbitrary<Program> =>
  fc.tuple(batches, dim, dim, dim, flag, flag).map(([[left, right], m, k, n, ta, tb]) => {
    const a = [...left, ...(ta ? [k, m] : [m, k])];
    const b = [...right, ...(tb ? [n, k] : [k, n])];
    return matrices(`[${a}]${ta ? 'ᵀ' : ''} [${b}]${tb ? 'ᵀ' : ''}`, a, b, (x, y) => tf.matMul(x!, y!, ta, tb));
  });

/** Sizes of a convolution with at least one output. */
const convolution = fc
  .record({
    batch: fc.integer({ min: 1, max: 2 }),
    height: fc.integer({ min: 3, max: 5 }),
    width: fc.integer({ min: 3, max: 5 }),
    channels: fc.integer({ min: 1, max: 3 }),
    outputs: fc.integer({ min: 1, max: 3 }),
    size: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    pad: fc.constantFrom('same' as const, 'valid' as const),
  })
  .map((c) => ({
    ...c,
    x: [c.batch, c.height, c.width, c.channels] as [number, number, number, number],
    label: `[${c.batch}, ${c.height}, ${c.width}, ${c.channels}] size ${c.size} stride ${c.stride} ${c.pad}`,
  }));

const activations = ['linear', 'relu', 'relu6', 'sigmoid', 'elu', 'leakyrelu', 'prelu'] as const;

const fusedMatMul = fc
  .tuple(dim, dim, dim, flag, flag, fc.constantFrom(...activations))
  .map(([m, k, n, ta, tb, activation]): Program => {
    const [a, b] = [ta ? [k, m] : [m, k], tb ? [n, k] : [k, n]];
    return {
      label: `[${a}] [${b}] ${activation}`,
      inputs: [a, b, [n], ...(activation === 'prelu' ? [[n]] : [])].map((shape) => ({ shape, domain: 'any' })),
      run: (x, y, bias, alpha) =>
        tf.fused.matMul({
          a: x as tf.Tensor2D,
          b: y as tf.Tensor2D,
          transposeA: ta,
          transposeB: tb,
          bias: bias!,
          activation,
          ...(alpha && { preluActivationWeights: alpha }),
          leakyreluAlpha: 0.3,
        }),
    };
  });

const fusedConv = (depthwise: boolean): fc.Arbitrary<Program> =>
  fc.tuple(convolution, fc.constantFrom(...activations)).map(([c, activation]): Program => {
    const filter = [c.size, c.size, c.channels, c.outputs] as [number, number, number, number];
    const out = depthwise ? c.channels * c.outputs : c.outputs;
    return {
      label: `${c.label} ${activation}`,
      inputs: [c.x, filter, [out], ...(activation === 'prelu' ? [[1, 1, out]] : [])].map((shape) => ({
        shape,
        domain: 'any',
      })),
      run: (x, w, bias, alpha) =>
        tf.fused[depthwise ? 'depthwiseConv2d' : 'conv2d']({
          x: x as tf.Tensor4D,
          filter: w as tf.Tensor4D,
          strides: c.stride,
          pad: c.pad,
          bias: bias!,
          activation,
          ...(alpha && { preluActivationWeights: alpha }),
          leakyreluAlpha: 0.3,
        }),
    };
  });

const equations: [string, (d: Record<string, number>) => number[][]][] = [
  [
    'ij,jk->ik',
    ({ i, j, k }) => [
      [i!, j!],
      [j!, k!],
    ],
  ],
  [
    'bij,bjk->bik',
    ({ b, i, j, k }) => [
      [b!, i!, j!],
      [b!, j!, k!],
    ],
  ],
  ['ij->ji', ({ i, j }) => [[i!, j!]]],
  ['i,j->ij', ({ i, j }) => [[i!], [j!]]],
  [
    'bhqd,bhkd->bhqk',
    ({ b, i, j, k }) => [
      [b!, i!, j!, 2],
      [b!, i!, k!, 2],
    ],
  ],
  ['ij->i', ({ i, j }) => [[i!, j!]]],
];

export const productCases: Case[] = [
  define('BatchMatMul', ['BatchMatMul'], matMuls(fc.constant([[], []]))),
  define(
    'BatchMatMul, batches',
    ['BatchMatMul'],
    matMuls(
      fc.tuple(dim, dim).map(([a, b]) => [
        [a, b],
        [a, b],
      ]),
    ),
  ),
  define(
    'BatchMatMul, broadcast batches',
    ['BatchMatMul'],
    matMuls(fc.tuple(dim, flag).map(([n, left]): [number[], number[]] => (left ? [[n], [1]] : [[1], [n]]))),
  ),
  define('_FusedMatMul', ['_FusedMatMul'], fusedMatMul, { tolerance: 1e-6 }),
  define(
    'Conv2D',
    ['Conv2D'],
    fc.tuple(convolution, fc.integer({ min: 1, max: 2 })).map(([c, dilation]) => {
      const dilated = c.stride === 1 && c.pad === 'same' ? dilation : 1;
      return matrices(`${c.label} dilation ${dilated}`, c.x, [c.size, c.size, c.channels, c.outputs], (x, w) =>
        tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, c.stride, c.pad, 'NHWC', dilated),
      );
    }),
  ),
  define(
    'Conv2D, not dilated',
    ['Conv2D'],
    convolution.map((c) =>
      matrices(c.label, c.x, [c.size, c.size, c.channels, c.outputs], (x, w) =>
        tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, c.stride, c.pad),
      ),
    ),
  ),
  define(
    'DepthwiseConv2dNative',
    ['DepthwiseConv2dNative'],
    convolution.map((c) =>
      matrices(c.label, c.x, [c.size, c.size, c.channels, c.outputs], (x, w) =>
        tf.depthwiseConv2d(x as tf.Tensor4D, w as tf.Tensor4D, c.stride, c.pad),
      ),
    ),
  ),
  define(
    'Conv2DBackpropInput',
    ['Conv2DBackpropInput'],
    convolution.map((c) => {
      const n = (extent: number): number =>
        c.pad === 'same' ? Math.ceil(extent / c.stride) : Math.floor((extent - c.size) / c.stride) + 1;
      const dy = [c.batch, n(c.height), n(c.width), c.outputs];
      return matrices(c.label, dy, [c.size, c.size, c.channels, c.outputs], (y, w) =>
        tf.conv2dTranspose(y as tf.Tensor4D, w as tf.Tensor4D, c.x, c.stride, c.pad),
      );
    }),
  ),
  ...(['Conv2D', 'DepthwiseConv2dNative'] as const).flatMap((name) => {
    const depthwise = name !== 'Conv2D';
    const programs = (wrt: 'Input' | 'Filter'): fc.Arbitrary<Program> =>
      convolution.map((c) => {
        const n = (extent: number): number =>
          c.pad === 'same' ? Math.ceil(extent / c.stride) : Math.floor((extent - c.size) / c.stride) + 1;
        const filter = [c.size, c.size, c.channels, c.outputs];
        const dy = [c.batch, n(c.height), n(c.width), depthwise ? c.channels * c.outputs : c.outputs];
        const attrs = { strides: [c.stride, c.stride], pad: c.pad, dataFormat: 'NHWC', dilations: [1, 1] };
        return wrt === 'Filter'
          ? matrices(c.label, c.x, dy, (x, y) =>
              kernel(`${name}BackpropFilter`, { x, dy: y }, { ...attrs, filterShape: filter }),
            )
          : matrices(c.label, dy, filter, (y, w) =>
              kernel(`${name}BackpropInput`, { dy: y, filter: w }, { ...attrs, inputShape: c.x }),
            );
      });
    return (depthwise ? (['Input', 'Filter'] as const) : (['Filter'] as const)).map((wrt) =>
      define(`${name}Backprop${wrt}`, [`${name}Backprop${wrt}`], programs(wrt), { noVjp: 'tfjs has none' }),
    );
  }),
  ...(['', 'BackpropInputV2', 'BackpropFilterV2'] as const).map((kind) =>
    define(
      `Conv3D${kind}`,
      [`Conv3D${kind}`],
      fc.tuple(convolution).map(([c]) => {
        const [x, filter] = [
          [c.batch, 3, 3, 3, c.channels],
          [2, 2, 2, c.channels, c.outputs],
        ];
        const dy = [c.batch, 2, 2, 2, c.outputs];
        const attrs = { strides: [1, 1, 1], pad: 'valid' };
        if (kind === '') {
          return matrices(c.label, x, filter, (a, b) => tf.conv3d(a as tf.Tensor5D, b as tf.Tensor5D, 1, 'valid'));
        }
        return kind === 'BackpropInputV2'
          ? matrices(c.label, dy, filter, (a, b) =>
              kernel(`Conv3D${kind}`, { dy: a, filter: b }, { ...attrs, inputShape: x }),
            )
          : matrices(c.label, x, dy, (a, b) =>
              kernel(`Conv3D${kind}`, { x: a, dy: b }, { ...attrs, filterShape: filter }),
            );
      }),
      {
        ...(kind !== '' && { noVjp: 'tfjs has none' }),
        ...(kind !== 'BackpropFilterV2' && { faulty: { wasm: 'the stock kernel Conv3DBackpropInputV2 is wrong' } }),
      },
    ),
  ),
  define('FusedConv2D', ['FusedConv2D'], fusedConv(false), { tolerance: 1e-6 }),
  define('FusedDepthwiseConv2D', ['FusedDepthwiseConv2D'], fusedConv(true), { tolerance: 1e-6 }),
  define(
    'Einsum',
    ['Einsum'],
    fc.tuple(fc.constantFrom(...equations), fc.record({ b: dim, i: dim, j: dim, k: dim })).map(
      ([[equation, sizes], letters]): Program => ({
        label: equation,
        inputs: sizes(letters).map((shape) => ({ shape, domain: 'any' })),
        run: (...xs) => tf.einsum(equation, ...xs),
      }),
    ),
  ),
];
