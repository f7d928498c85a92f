import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, type Domain, define, dim, kernel, type Program, shapes } from '../program.ts';

interface Pooling {
  x: number[];
  size: number;
  stride: number;
  pad: 'same' | 'valid';
}

const pooling = (rank: 2 | 3): fc.Arbitrary<Pooling> =>
  fc
    .record({
      batch: fc.integer({ min: 1, max: 2 }),
      space: fc.array(fc.integer({ min: 2, max: rank === 2 ? 5 : 3 }), { minLength: rank, maxLength: rank }),
      channels: fc.integer({ min: 1, max: 3 }),
      size: fc.integer({ min: 1, max: 2 }),
      stride: fc.integer({ min: 1, max: 2 }),
      pad: fc.constantFrom('same' as const, 'valid' as const),
    })
    .map(({ batch, space, channels, ...rest }) => ({ ...rest, x: [batch, ...space, channels] }));

function one(label: string, shape: number[], domain: Domain, run: (x: tf.Tensor) => tf.Tensor): Program {
  return { label, inputs: [{ shape, domain }], run: (x) => run(x!) };
}

function pool(rank: 2 | 3, domain: Domain, run: (x: tf.Tensor, p: Pooling) => tf.Tensor): fc.Arbitrary<Program> {
  return pooling(rank).map((p) =>
    one(`[${p.x}] size ${p.size} stride ${p.stride} ${p.pad}`, p.x, domain, (x) => run(x, p)),
  );
}

/** The gradient kernel of a pooling, as a function of dy with x fixed. */
function poolGrad(rank: 2 | 3, max: boolean): fc.Arbitrary<Program> {
  // The cpu kernel AvgPoolGrad is wrong with pad 'same'.
  const name = `${max ? 'Max' : 'Avg'}Pool${rank === 3 ? '3D' : ''}`;
  return pooling(rank).map(({ pad, ...sizes }): Program => {
    const p = { ...sizes, pad: max ? pad : ('valid' as const) };
    const out = p.x.map((n, i) =>
      i === 0 || i === p.x.length - 1
        ? n
        : p.pad === 'same'
          ? Math.ceil(n / p.stride)
          : Math.floor((n - p.size) / p.stride) + 1,
    );
    const attrs = {
      filterSize: Array(rank).fill(p.size),
      strides: Array(rank).fill(p.stride),
      pad: p.pad,
      dataFormat: 'NDHWC',
    };
    // Positive inputs: the stock wasm kernel is wrong where a window has none.
    const values = Array.from({ length: p.x.reduce((a, b) => a * b) }, (_, i) => 1 + ((i * 7919) % 1009) / 100);
    return one(`${name} [${p.x}] ${p.size} ${p.stride} ${p.pad}`, out, 'any', (dy) => {
      const input = tf.tensor(values, p.x);
      if (!max) return kernel(`${name}Grad`, { dy, input }, attrs);
      return kernel(`${name}Grad`, { dy, input, output: kernel(name, { x: input }, attrs) }, attrs);
    });
  });
}

const none = { noVjp: 'tfjs has none' };

const image = fc.tuple(
  fc.integer({ min: 1, max: 2 }),
  fc.integer({ min: 2, max: 4 }),
  fc.integer({ min: 2, max: 4 }),
  dim,
);

// Maxima of positive numbers: for negative ones the stock kernels MaxPool3D, MaxPoolWithArgmax and Dilation2D of wasm
// are wrong, which start at the smallest positive float.
export const windowCases: Case[] = [
  define(
    'MaxPool',
    ['MaxPool'],
    pool(2, 'distinct', (x, p) => tf.maxPool(tf.abs(x) as tf.Tensor4D, p.size, p.stride, p.pad)),
  ),
  define(
    'MaxPool, negative',
    ['MaxPool'],
    pool(2, 'distinct', (x, p) => tf.maxPool(tf.sub(x, 50) as tf.Tensor4D, p.size, p.stride, p.pad)),
  ),
  define(
    'MaxPool, rounding up',
    ['MaxPool'],
    pool(2, 'distinct', (x, p) => tf.maxPool(x as tf.Tensor4D, p.size + 1, 2, 0, 'ceil')),
    {
      noVjp: 'tfjs has none with this rounding',
      faulty: { wasm: 'the stock kernel writes out of bounds' },
    },
  ),
  define(
    'MaxPool3D',
    ['MaxPool3D'],
    pool(3, 'distinct', (x, p) => tf.maxPool3d(tf.abs(x) as tf.Tensor5D, p.size, p.stride, p.pad)),
  ),
  define(
    'MaxPoolWithArgmax',
    ['MaxPoolWithArgmax'],
    pool(2, 'distinct', (x, p) => tf.maxPoolWithArgmax(tf.abs(x) as tf.Tensor4D, p.size, p.stride, p.pad).result!),
    none,
  ),
  define(
    'AvgPool',
    ['AvgPool'],
    pool(2, 'any', (x, p) => tf.avgPool(x as tf.Tensor4D, p.size, p.stride, p.pad)),
  ),
  define(
    'AvgPool3D',
    ['AvgPool3D'],
    pool(3, 'any', (x, p) => tf.avgPool3d(x as tf.Tensor5D, p.size, p.stride, p.pad)),
  ),
  define('MaxPoolGrad', ['MaxPoolGrad'], poolGrad(2, true), none),
  define('AvgPoolGrad', ['AvgPoolGrad'], poolGrad(2, false), none),
  define('MaxPool3DGrad', ['MaxPool3DGrad'], poolGrad(3, true), none),
  define('AvgPool3DGrad', ['AvgPool3DGrad'], poolGrad(3, false), none),
  define(
    'Dilation2D',
    ['Dilation2D'],
    pooling(2).map(
      (p): Program => ({
        label: `[${p.x}] size ${p.size} stride ${p.stride} ${p.pad}`,
        inputs: [
          { shape: p.x, domain: 'distinct' },
          { shape: [p.size, p.size, p.x[3]!], domain: 'unit' },
        ],
        run: (x, filter) =>
          tf.dilation2d(tf.add(tf.mul(x!, 100), 1000) as tf.Tensor4D, filter as tf.Tensor3D, p.stride, p.pad, 1),
      }),
    ),
  ),
  ...(['Input', 'Filter'] as const).map((wrt) =>
    define(
      `Dilation2DBackprop${wrt}`,
      [`Dilation2DBackprop${wrt}`],
      pooling(2).map((p) => {
        const attrs = { strides: [1, 1], pad: 'same', dilations: [1, 1] };
        const values = (n: number, step: number): number[] =>
          Array.from({ length: n }, (_, i) => ((i * step) % 1009) / 100);
        return one(`[${p.x}] ${p.size}`, p.x, 'any', (dy) => {
          const x = tf.tensor(values(dy.size, 7919), p.x);
          const filter = tf.tensor(values(p.size ** 2 * p.x[3]!, 31), [p.size, p.size, p.x[3]!]);
          return kernel(`Dilation2DBackprop${wrt}`, { x, filter, dy }, attrs);
        });
      }),
      none,
    ),
  ),
  define(
    'Softmax',
    ['Softmax'],
    shapes(1, 3).map((shape) => one(`[${shape}]`, shape, 'any', (x) => tf.softmax(x))),
  ),
  define(
    'logSoftmax',
    ['Max', 'Exp', 'Log', 'Sum', 'Sub'],
    shapes(1, 3).map((shape) => one(`[${shape}]`, shape, 'distinct', (x) => tf.logSoftmax(x))),
  ),
  define(
    'FusedBatchNorm',
    ['FusedBatchNorm'],
    fc.tuple(shapes(2, 4), fc.boolean(), fc.boolean()).map(([shape, scaled, shifted]): Program => {
      const row = shape.slice(-1);
      return {
        label: `[${shape}] scale ${scaled} offset ${shifted}`,
        inputs: [
          { shape, domain: 'any' },
          { shape: row, domain: 'any' },
          { shape: row, domain: 'positive' },
          { shape: row, domain: 'any' },
          { shape: row, domain: 'any' },
        ],
        run: (x, mean, variance, offset, scale) =>
          tf.batchNorm(
            x!,
            mean as tf.Tensor1D,
            variance as tf.Tensor1D,
            (shifted ? offset : undefined) as tf.Tensor1D,
            (scaled ? scale : undefined) as tf.Tensor1D,
            1e-3,
          ),
      };
    }),
  ),
  define(
    'LRN',
    ['LRN'],
    image.map((shape) =>
      one(`[${shape}]`, shape, 'any', (x) => tf.localResponseNormalization(x as tf.Tensor4D, 1, 1, 0.5, 0.7)),
    ),
  ),
  define(
    'LRNGrad',
    ['LRNGrad'],
    image.map((shape): Program => {
      const attrs = { depthRadius: 1, bias: 1, alpha: 0.5, beta: 0.7 };
      return {
        label: `[${shape}]`,
        inputs: [
          { shape, domain: 'any' },
          { shape, domain: 'any' },
        ],
        run: (x, dy) => kernel('LRNGrad', { x, y: kernel('LRN', { x }, attrs), dy }, attrs),
      };
    }),
    none,
  ),
  ...(['Bilinear', 'NearestNeighbor'] as const).map((method) =>
    define(
      `Resize${method}`,
      [`Resize${method}`],
      fc
        .tuple(image, dim, dim, fc.boolean(), fc.boolean())
        .map(([shape, h, w, corners, centers]) =>
          one(`[${shape}] to [${h}, ${w}] ${corners} ${centers}`, shape, 'any', (x) =>
            tf.image[`resize${method}`](x as tf.Tensor4D, [h + 1, w + 1], corners, !corners && centers),
          ),
        ),
      method === 'NearestNeighbor' ? { noVjp: 'that of tfjs ignores halfPixelCenters' } : {},
    ),
  ),
  ...(['Bilinear', 'NearestNeighbor'] as const).map((method) =>
    define(
      `Resize${method}Grad`,
      [`Resize${method}Grad`],
      fc.tuple(image, dim, dim, fc.boolean()).map(([shape, h, w, alignCorners]) => {
        const [, height, width, c] = shape;
        const b = 1; // with more, the cpu kernel of NearestNeighbor reads out of bounds
        return one(`[${shape}] from [${h}, ${w}]`, [b, h + 1, w + 1, c], 'any', (dy) =>
          kernel(`Resize${method}Grad`, { images: tf.zeros([b, height, width, c]), dy }, { alignCorners }),
        );
      }),
      none,
    ),
  ),
  define(
    'FlipLeftRight',
    ['FlipLeftRight'],
    image.map((shape) => one(`[${shape}]`, shape, 'any', (x) => tf.image.flipLeftRight(x as tf.Tensor4D))),
    none,
  ),
  define(
    'RotateWithOffset',
    ['RotateWithOffset'],
    image.map((shape) => one(`[${shape}]`, shape, 'any', (x) => tf.image.rotateWithOffset(x as tf.Tensor4D, 0.7, 0.5))),
    none,
  ),
  define(
    'CropAndResize',
    ['CropAndResize'],
    image.map((shape) =>
      one(`[${shape}]`, shape, 'any', (x) =>
        tf.image.cropAndResize(
          x as tf.Tensor4D,
          tf.tensor2d([[0.1, 0, 1.3, 0.8]]),
          tf.tensor1d([0], 'int32'),
          [3, 2],
          'bilinear',
          5,
        ),
      ),
    ),
    none,
  ),
  define(
    'Transform',
    ['Transform'],
    image.map((shape) =>
      one(`[${shape}]`, shape, 'any', (x) =>
        tf.image.transform(
          x as tf.Tensor4D,
          tf.tensor2d([[1, 0.2, -0.5, 0.1, 0.9, 0.3, 0, 0]]),
          'bilinear',
          'constant',
          7,
        ),
      ),
    ),
    { ...none, faulty: { wasm: 'the stock kernel is wrong for several images' } },
  ),
];
