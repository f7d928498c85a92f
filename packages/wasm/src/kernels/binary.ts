import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { allFloat, over, type Registration } from './over.ts';
import { collapse, rowMajor } from './strided.ts';

/** Numbers of the functions in assembly/binary.ts. */
const KIND: Readonly<Record<string, number>> = {
  Add: 0,
  Sub: 1,
  Multiply: 2,
  RealDiv: 3,
  Maximum: 4,
  Minimum: 5,
  SquaredDifference: 6,
};

/** Strides of an operand along the axes of the output; 0 where it is broadcast. */
function stridesWithin(shape: readonly number[], outer: readonly number[]): number[] {
  const own = rowMajor(shape);
  const lead = outer.length - shape.length;
  return outer.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead]!));
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

/** a ∘ b with broadcasting; undefined where they vary along too many axes (more than four after merging). */
function binary(runtime: Runtime, kind: number, a: tf.TensorInfo, b: tf.TensorInfo): tf.TensorInfo | undefined {
  const equal = same(a.shape, b.shape);
  const shape = equal ? a.shape : tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const n = tf.util.sizeFromShape(shape);
  let axes = { extents: n === 1 ? [] : [n], strides: n === 1 ? [[], []] : [[1], [1]] };
  if (!equal)
    axes = collapse({ extents: shape, strides: [stridesWithin(a.shape, shape), stridesWithin(b.shape, shape)] });
  if (axes.extents.length > 4) return undefined;
  const out = runtime.output(shape);
  if (n === 0) return out;
  const line = axes.extents.at(-1) ?? 1;
  const outer = axes.extents.slice(0, -1);
  const pad = (values: readonly number[], fill: number): number[] => [
    ...new Array<number>(3 - values.length).fill(fill),
    ...values,
  ];
  const [sa, sb] = axes.strides as [number[], number[]];
  const lines = n / line;
  runtime.run(
    Op.Binary,
    [
      ...[kind, runtime.address(a), runtime.address(b), runtime.address(out), ...pad(outer, 1), line],
      ...[...pad(sa.slice(0, -1), 0), ...pad(sb.slice(0, -1), 0), sa.at(-1) ?? 1, sb.at(-1) ?? 1, lines === 1 ? 1 : 0],
    ],
    runtime.chunks(n, lines === 1 ? Math.ceil(n / 1024) : lines),
  );
  return out;
}

export const binaryKernels: readonly Registration[] = Object.entries(KIND).map(([name, kind]) =>
  over(name, (runtime, stock) => (call) => {
    const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    if (!allFloat(a, b)) return stock(call);
    return binary(runtime, kind, a, b) ?? stock(call);
  }),
);
