import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, type Domain, define, dim, kernel, type Program, shapes, someAxes } from '../program.ts';

type Run = (...xs: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[];

function program(
  label: string,
  inputShapes: readonly (readonly number[])[],
  run: Run,
  domain: Domain = 'any',
): Program {
  return { label, inputs: inputShapes.map((shape) => ({ shape, domain })), run };
}

/** A shape and a choice that depends on it. */
function over<T>(
  ranks: [number, number],
  choice: (shape: number[]) => fc.Arbitrary<T>,
  make: (shape: number[], chosen: T) => Program,
): fc.Arbitrary<Program> {
  return shapes(...ranks).chain((shape) => choice(shape).map((chosen) => make(shape, chosen)));
}

const axisOf = (shape: readonly number[]): fc.Arbitrary<number> =>
  fc.integer({ min: -shape.length, max: shape.length - 1 });
// Negative axes make tfjs's cumsum and cumprod return wrong shapes on cpu and write out of bounds on wasm.
const fromFront = (shape: readonly number[]): fc.Arbitrary<number> => fc.nat(shape.length - 1);
const permutation = (rank: number): fc.Arbitrary<number[]> =>
  fc.shuffledSubarray([...Array(rank).keys()], { minLength: rank, maxLength: rank });
const paddings = (rank: number, max: number): fc.Arbitrary<[number, number][]> =>
  fc.array(fc.tuple(fc.nat(max), fc.nat(max)), { minLength: rank, maxLength: rank });

function reduction(
  name: string,
  op: (x: tf.Tensor, axis: number[], keepDims: boolean) => tf.Tensor,
  domain: Domain,
): Case {
  const programs = over(
    [1, 4],
    (shape) => fc.tuple(someAxes(shape.length), fc.boolean()),
    (shape, [axis, keepDims]) =>
      program(`[${shape}] axis [${axis}] keepDims ${keepDims}`, [shape], (x) => op(x!, axis, keepDims), domain),
  );
  return define(name, [name], programs);
}

const slices = (shape: number[]): fc.Arbitrary<{ begin: number[]; size: number[] }> =>
  fc
    .tuple(
      ...shape.map((n) =>
        fc
          .integer({ min: 0, max: n - 1 })
          .chain((from) => fc.tuple(fc.constant(from), fc.integer({ min: 1, max: n - from }))),
      ),
    )
    .map((pairs) => ({ begin: pairs.map(([from]) => from), size: pairs.map(([, extent]) => extent) }));

export const shapeCases: Case[] = [
  define(
    'Identity',
    ['Identity'],
    shapes(0, 3).map((shape) => program(`[${shape}]`, [shape], (x) => tf.clone(x!))),
  ),
  define(
    'Reshape',
    ['Reshape'],
    over(
      [1, 4],
      (shape) => permutation(shape.length),
      (shape, order) =>
        program(`[${shape}] to [${order.map((i) => shape[i])}]`, [shape], (x) =>
          tf.reshape(
            x!,
            order.map((i) => shape[i]!),
          ),
        ),
    ),
  ),
  define(
    'ExpandDims',
    ['ExpandDims'],
    over([1, 3], axisOf, (shape, dim) =>
      program(`[${shape}] ${dim}`, [shape], (x) => kernel('ExpandDims', { input: x }, { dim })),
    ),
  ),
  define(
    'Cast',
    ['Cast'],
    shapes(0, 3).map((shape) => program(`[${shape}]`, [shape], (x) => tf.cast(x!, 'float32'))),
  ),
  define(
    'Transpose',
    ['Transpose'],
    over(
      [1, 4],
      (shape) => permutation(shape.length),
      (shape, perm) => program(`[${shape}] by [${perm}]`, [shape], (x) => tf.transpose(x!, perm)),
    ),
  ),
  define(
    'Slice',
    ['Slice'],
    over([1, 3], slices, (shape, { begin, size }) =>
      program(`[${shape}] [${begin}] [${size}]`, [shape], (x) => tf.slice(x!, begin, size)),
    ),
  ),
  define(
    'Slice, short begin and -1',
    ['Slice'],
    over(
      [2, 3],
      (shape) => fc.nat(shape[0]! - 1),
      (shape, begin) => program(`[${shape}] ${begin}`, [shape], (x) => tf.slice(x!, begin, -1)),
    ),
  ),
  define(
    'StridedSlice',
    ['StridedSlice'],
    over(
      [1, 3],
      (shape) =>
        fc.tuple(slices(shape), fc.integer({ min: 1, max: 2 }), fc.nat(7), fc.nat(7), fc.boolean(), fc.boolean()),
      (shape, [{ begin, size }, stride, beginMask, endMask, newAxis, shrink]) => {
        const end = begin.map((from, i) => from + size[i]!);
        const strides = shape.map(() => stride);
        const label = `[${shape}] [${begin}] [${end}] ${stride} masks ${beginMask} ${endMask} ${newAxis} ${shrink}`;
        return program(label, [shape], (x) =>
          newAxis
            ? tf.stridedSlice(x!, [0, ...begin], [1, ...end], [1, ...strides], beginMask, endMask, 0, 1)
            : tf.stridedSlice(
                x!,
                begin,
                end,
                strides,
                beginMask,
                endMask,
                0,
                0,
                shrink && shape.length > 1 && stride === 1 ? 1 : 0,
              ),
        );
      },
    ),
  ),
  define(
    'Tile',
    ['Tile'],
    over(
      [1, 3],
      (shape) => fc.array(fc.integer({ min: 1, max: 3 }), { minLength: shape.length, maxLength: shape.length }),
      (shape, reps) => program(`[${shape}] by [${reps}]`, [shape], (x) => tf.tile(x!, reps)),
    ),
  ),
  define(
    'broadcastTo',
    ['Tile'],
    over(
      [0, 2],
      () => dim,
      (shape, n) => program(`[${shape}] to [${n}, ${shape}]`, [shape], (x) => tf.broadcastTo(x!, [n, ...shape])),
    ),
  ),
  define(
    'Reverse',
    ['Reverse'],
    over(
      [1, 4],
      (shape) => someAxes(shape.length),
      (shape, dims) => program(`[${shape}] [${dims}]`, [shape], (x) => tf.reverse(x!, dims)),
    ),
  ),
  define(
    'Reverse, all',
    ['Reverse'],
    shapes(1, 4).map((shape) => program(`[${shape}]`, [shape], (x) => tf.reverse(x!))),
  ),
  define(
    'PadV2',
    ['PadV2'],
    over(
      [1, 4],
      (shape) => paddings(shape.length, 2),
      (shape, pads) => program(`[${shape}] by ${JSON.stringify(pads)}`, [shape], (x) => tf.pad(x!, pads, 3)),
    ),
  ),
  define(
    'MirrorPad',
    ['MirrorPad'],
    over(
      [1, 3],
      (shape) => fc.tuple(paddings(shape.length, 1), fc.constantFrom('reflect' as const, 'symmetric' as const)),
      (shape, [pads, mode]) => {
        const larger = shape.map((n) => n + 1);
        return program(`[${larger}] ${mode} ${JSON.stringify(pads)}`, [larger], (x) => tf.mirrorPad(x!, pads, mode));
      },
    ),
  ),
  define(
    'SplitV',
    ['SplitV'],
    over(
      [1, 3],
      (shape) => fc.tuple(axisOf(shape), dim, dim),
      (shape, [axis, a, b]) => {
        const at = axis < 0 ? axis + shape.length : axis;
        const whole = shape.map((n, i) => (i === at ? a + b : n));
        return program(`[${whole}] ${a}+${b} at ${axis}`, [whole], (x) => tf.split(x!, [a, b], axis));
      },
    ),
  ),
  define(
    'Unpack',
    ['Unpack'],
    over([1, 3], axisOf, (shape, axis) => {
      return program(`[${shape}] ${axis}`, [shape], (x) => tf.unstack(x!, axis));
    }),
  ),
  define(
    'Pack',
    ['Pack'],
    over([1, 3], axisOf, (shape, axis) =>
      program(`[${shape}] ${axis}`, [shape, shape, shape], (...xs) => tf.stack(xs, axis)),
    ),
  ),
  define(
    'Concat',
    ['Concat'],
    over(
      [1, 3],
      (shape) => fc.tuple(axisOf(shape), dim),
      (shape, [axis, n]) => {
        const at = axis < 0 ? axis + shape.length : axis;
        const other = shape.map((extent, i) => (i === at ? n : extent));
        return program(`[${shape}] [${other}] at ${axis}`, [shape, other], (a, b) => tf.concat([a!, b!], axis));
      },
    ),
  ),
  define(
    'AddN',
    ['AddN'],
    shapes(0, 3).map((shape) => program(`[${shape}]`, [shape, shape, shape], (...xs) => tf.addN(xs))),
  ),
  define(
    'Cumsum',
    ['Cumsum'],
    over(
      [1, 3],
      (shape) => fc.tuple(fromFront(shape), fc.boolean(), fc.boolean()),
      (shape, [axis, exclusive, reverse]) =>
        program(`[${shape}] ${axis} ${exclusive} ${reverse}`, [shape], (x) => tf.cumsum(x!, axis, exclusive, reverse)),
    ),
  ),
  reduction('Sum', tf.sum, 'any'),
  reduction('Mean', tf.mean, 'any'),
  reduction('Max', tf.max, 'distinct'),
  reduction('Min', tf.min, 'distinct'),
  reduction('Prod', tf.prod, 'any'),
  define(
    'Sum, all',
    ['Sum'],
    shapes(0, 4).map((shape) => program(`[${shape}]`, [shape], (x) => tf.sum(x!))),
  ),
  define(
    'Max, all',
    ['Max'],
    shapes(1, 3).map((shape) => program(`[${shape}]`, [shape], (x) => tf.max(x!), 'distinct')),
  ),
  define(
    'Cumprod',
    ['Cumprod'],
    over(
      [1, 3],
      (shape) => fc.tuple(fromFront(shape), fc.boolean(), fc.boolean()),
      (shape, [axis, exclusive, reverse]) =>
        program(`[${shape}] ${axis} ${exclusive} ${reverse}`, [shape], (x) => tf.cumprod(x!, axis, exclusive, reverse)),
    ),
  ),
  define(
    'logSumExp',
    ['Max', 'Exp', 'Log', 'Sum'],
    over(
      [1, 3],
      (shape) => someAxes(shape.length),
      (shape, axis) => program(`[${shape}] [${axis}]`, [shape], (x) => tf.logSumExp(x!, axis), 'distinct'),
    ),
  ),
  define(
    'Diag',
    ['Diag'],
    shapes(1, 2).map((shape) => program(`[${shape}]`, [shape], (x) => tf.diag(x!))),
  ),
  define(
    'DepthToSpace',
    ['DepthToSpace'],
    fc
      .tuple(dim, dim, dim, dim)
      .map(([b, h, w, c]) =>
        program(`[${b}, ${h}, ${w}, ${4 * c}]`, [[b, h, w, 4 * c]], (x) => tf.depthToSpace(x as tf.Tensor4D, 2)),
      ),
  ),
  define(
    'SpaceToBatchND',
    ['SpaceToBatchND'],
    fc.tuple(dim, dim, dim, dim).map(([b, h, w, c]) =>
      program(`[${b}, ${2 * h}, ${2 * w}, ${c}]`, [[b, 2 * h, 2 * w, c]], (x) =>
        tf.spaceToBatchND(
          x!,
          [2, 2],
          [
            [0, 2],
            [2, 0],
          ],
        ),
      ),
    ),
  ),
  define(
    'BatchToSpaceND',
    ['BatchToSpaceND'],
    fc.tuple(dim, dim, dim, dim).map(([b, h, w, c]) =>
      program(`[${4 * b}, ${h}, ${w}, ${c}]`, [[4 * b, h, w, c]], (x) =>
        tf.batchToSpaceND(
          x!,
          [2, 2],
          [
            [0, 1],
            [1, 0],
          ],
        ),
      ),
    ),
  ),
];
