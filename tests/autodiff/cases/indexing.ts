import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, define, dim, kernel, type Program, shapes } from '../program.ts';

const indices = (below: number, count: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat(below - 1), { minLength: count, maxLength: count });
const ints = (values: readonly number[], shape: readonly number[]): tf.Tensor =>
  tf.tensor([...values], [...shape], 'int32');
const size = (shape: readonly number[]): number => shape.reduce((n, extent) => n * extent, 1);

export const indexingCases: Case[] = [
  define(
    'GatherV2',
    ['GatherV2'],
    shapes(1, 3).chain((shape) =>
      fc.integer({ min: 0, max: shape.length - 1 }).chain((axis) =>
        fc.tuple(dim, dim).chain(([m, n]) =>
          indices(shape[axis]!, m * n).map(
            (at): Program => ({
              label: `[${shape}] axis ${axis} [${m}, ${n}]`,
              inputs: [{ shape, domain: 'any' }],
              run: (x) => tf.gather(x!, ints(at, [m, n]), axis),
            }),
          ),
        ),
      ),
    ),
  ),
  define(
    'GatherV2, batch',
    ['GatherV2'],
    fc.tuple(dim, dim, dim, dim).chain(([b, n, c, m]) =>
      indices(n, b * m).map(
        (at): Program => ({
          label: `[${b}, ${n}, ${c}] ${m}`,
          inputs: [{ shape: [b, n, c], domain: 'any' }],
          run: (x) => tf.gather(x!, ints(at, [b, m]), 1, 1),
        }),
      ),
    ),
    {
      faulty: { wasm: 'the stock kernel mixes up batches' },
    },
  ),
  define(
    'GatherNd',
    ['GatherNd'],
    fc.tuple(dim, dim, dim, dim).chain(([h, w, c, n]) =>
      fc.tuple(indices(h, n), indices(w, n)).map(
        ([i, j]): Program => ({
          label: `[${h}, ${w}, ${c}] ${n}`,
          inputs: [{ shape: [h, w, c], domain: 'any' }],
          run: (x) =>
            tf.gatherND(
              x!,
              ints(
                i.flatMap((row, k) => [row, j[k]!]),
                [n, 2],
              ),
            ),
        }),
      ),
    ),
  ),
  define(
    'ScatterNd',
    ['ScatterNd'],
    fc.tuple(dim, dim, dim).chain(([n, c, m]) =>
      indices(n, m).map(
        (at): Program => ({
          label: `[${m}, ${c}] into [${n}, ${c}]`,
          inputs: [{ shape: [m, c], domain: 'any' }],
          run: (x) => tf.scatterND(ints(at, [m, 1]), x!, [n, c]),
        }),
      ),
    ),
  ),
  define(
    'TensorScatterUpdate',
    ['TensorScatterUpdate'],
    fc.tuple(dim, dim).chain(([n, c]) =>
      fc.uniqueArray(fc.nat(n - 1), { minLength: 1, maxLength: n }).map(
        (at): Program => ({
          label: `[${at.length}, ${c}] into [${n}, ${c}]`,
          inputs: [
            { shape: [n, c], domain: 'any' },
            { shape: [at.length, c], domain: 'any' },
          ],
          run: (x, updates) => tf.tensorScatterUpdate(x!, ints(at, [at.length, 1]), updates!),
        }),
      ),
    ),
  ),
  define(
    'UnsortedSegmentSum',
    ['UnsortedSegmentSum'],
    fc.tuple(dim, dim, dim).chain(([n, c, segments]) =>
      indices(segments, n).map(
        (ids): Program => ({
          label: `[${n}, ${c}] to ${segments}`,
          inputs: [{ shape: [n, c], domain: 'any' }],
          run: (x) => tf.unsortedSegmentSum(x!, ints(ids, [n]) as tf.Tensor1D, segments),
        }),
      ),
    ),
  ),
  define(
    'SparseToDense',
    ['SparseToDense'],
    fc.integer({ min: 1, max: 6 }).chain((n) =>
      fc.subarray([...Array(n).keys()], { minLength: 1 }).map(
        (at): Program => ({
          label: `${at.length} of ${n}`,
          inputs: [
            { shape: [at.length], domain: 'any' },
            { shape: [], domain: 'any' },
          ],
          run: (values, missing) => tf.sparseToDense(ints(at, [at.length]), values!, [n], missing as tf.Scalar),
        }),
      ),
    ),
  ),
  ...(['Sum', 'Mean'] as const).map((kind) =>
    define(
      `SparseSegment${kind}`,
      [`SparseSegment${kind}`],
      fc.tuple(dim, dim, dim).chain(([n, c, m]) =>
        fc.tuple(indices(n, m), indices(2, m)).map(([at, steps]): Program => {
          let segment = 0;
          const ids = steps.map((step, i) => (segment += i === 0 ? 0 : step));
          return {
            label: `[${n}, ${c}] ${m} rows`,
            inputs: [{ shape: [n, c], domain: 'any' }],
            run: (x) =>
              tf.sparse[`sparseSegment${kind}`](
                x as tf.Tensor2D,
                ints(at, [m]) as tf.Tensor1D,
                ints(ids, [m]) as tf.Tensor1D,
              ),
          };
        }),
      ),
      { noVjp: 'tfjs has none' },
    ),
  ),
  define(
    'Bincount',
    ['Bincount'],
    fc.tuple(dim, dim).chain(([n, bins]) =>
      indices(bins, n).map(
        (at): Program => ({
          label: `${n} into ${bins}`,
          inputs: [{ shape: [n], domain: 'any' }],
          run: (weights) => tf.bincount(ints(at, [n]) as tf.Tensor1D, weights as tf.Tensor1D, bins),
        }),
      ),
    ),
    { noVjp: 'tfjs has none' },
  ),
  define(
    'DenseBincount',
    ['DenseBincount'],
    fc.tuple(dim, dim, dim).chain(([b, n, bins]) =>
      indices(bins, b * n).map(
        (at): Program => ({
          label: `[${b}, ${n}] into ${bins}`,
          inputs: [{ shape: [b, n], domain: 'any' }],
          run: (weights) => tf.denseBincount(ints(at, [b, n]) as tf.Tensor2D, weights as tf.Tensor2D, bins),
        }),
      ),
    ),
    { noVjp: 'tfjs has none' },
  ),
  define(
    'Select',
    ['Select'],
    shapes(0, 3).chain((shape) =>
      indices(2, size(shape)).map(
        (mask): Program => ({
          label: `[${shape}]`,
          inputs: [
            { shape, domain: 'any' },
            { shape, domain: 'any' },
          ],
          run: (a, b) => tf.where(tf.tensor(mask, shape, 'bool'), a!, b!),
        }),
      ),
    ),
  ),
  define(
    'where(x > 0, …)',
    ['Select', 'Greater'],
    shapes(0, 3).map(
      (shape): Program => ({
        label: `[${shape}]`,
        inputs: [{ shape, domain: 'any' }],
        run: (x) => tf.where(tf.greater(x!, 0), tf.square(x!), tf.exp(x!)),
      }),
    ),
  ),
  define(
    'TopK',
    ['TopK'],
    shapes(1, 3).chain((shape) =>
      fc.integer({ min: 1, max: shape.at(-1)! }).map(
        (k): Program => ({
          label: `[${shape}] ${k}`,
          inputs: [{ shape, domain: 'distinct' }],
          run: (x) => tf.topk(x!, k).values,
        }),
      ),
    ),
  ),
  define(
    'ExpandDims of a list',
    ['ExpandDims', 'Pack'],
    shapes(1, 2).map(
      (shape): Program => ({
        label: `[${shape}]`,
        inputs: [{ shape, domain: 'any' }],
        run: (x) => tf.stack([kernel('ExpandDims', { input: x }, { dim: 0 }), tf.expandDims(tf.square(x!), 0)]),
      }),
    ),
  ),
];
