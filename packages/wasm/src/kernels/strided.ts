import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Axes with one stride per operand, outermost first. */
export interface Axes {
  readonly extents: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** The same walk with fewer axes: those of extent 1 are dropped, neighbours that run on in every operand are merged. */
export function collapse({ extents, strides }: Axes): { extents: number[]; strides: number[][] } {
  const kept: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (const [axis, extent] of extents.entries()) {
    if (extent === 1) continue;
    const last = kept.length - 1;
    const runsOn = last >= 0 && strides.every((s, i) => steps[i]![last] === s[axis]! * extent);
    if (runsOn) kept[last]! *= extent;
    else kept.push(extent);
    const at = kept.length - 1;
    for (const [i, s] of strides.entries()) steps[i]![at] = s[axis]!;
  }
  return { extents: kept, strides: steps };
}

/** Strides of a row-major tensor, in elements. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}

/** The last `count` axes, padded with extent 1 in front. */
function padded(values: readonly number[], count: number, fill: number): number[] {
  return [...new Array<number>(count - values.length).fill(fill), ...values];
}

export interface Copy {
  readonly extents: readonly number[];
  /** Strides in elements; 0 in the source repeats. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Addresses of the first elements. */
  readonly source: number;
  readonly target: number;
  readonly elementBytes: number;
}

/** Copies a strided array into another one of the same extents. */
export function copyStrided(runtime: Runtime, copy: Copy): void {
  if (copy.extents.includes(0)) return;
  const bytes = copy.elementBytes;
  const scaled = [copy.from, copy.to].map((s) => s.map((step) => step * bytes));
  const axes = collapse({ extents: copy.extents, strides: scaled });
  const [from, to] = axes.strides as [number[], number[]];
  const { extents } = axes;
  let block = bytes;
  if (extents.length > 0 && from.at(-1) === bytes && to.at(-1) === bytes) {
    block *= extents.pop()!;
    from.pop();
    to.pop();
  }
  copyAxes(runtime, copy.source, copy.target, block, extents, from, to);
}

function copyAxes(
  runtime: Runtime,
  source: number,
  target: number,
  block: number,
  extents: number[],
  from: number[],
  to: number[],
): void {
  if (extents.length > 4) {
    for (let i = 0; i < extents[0]!; i++) {
      copyAxes(
        runtime,
        source + i * from[0]!,
        target + i * to[0]!,
        block,
        extents.slice(1),
        from.slice(1),
        to.slice(1),
      );
    }
    return;
  }
  // One axis alone is shared out as lines of one block.
  const [d, s, t] =
    extents.length < 4
      ? [
          [...extents, 1],
          [...from, 0],
          [...to, 0],
        ]
      : [extents, from, to];
  const lines = tf.util.sizeFromShape(d.slice(0, -1));
  const args = [source, target, block, ...padded(d, 4, 1), ...padded(s, 4, 0), ...padded(t, 4, 0)];
  runtime.run(Op.Copy, args, runtime.chunks((lines * d.at(-1)! * block) / 4, lines));
}

/** Copies x with its axes in the order of `permutation` to `target`; 4-byte elements. */
export function transposeInto(
  runtime: Runtime,
  x: tf.TensorInfo,
  permutation: readonly number[],
  target: number,
): void {
  const shape = permutation.map((axis) => x.shape[axis]!);
  if (shape.includes(0)) return;
  const own = rowMajor(x.shape);
  const axes = collapse({ extents: shape, strides: [permutation.map((axis) => own[axis]!), rowMajor(shape)] });
  const [from, to] = axes.strides as [number[], number[]];
  const source = runtime.address(x);
  const last = from.length - 1;
  if (last < 0 || from[last] === 1) {
    copyStrided(runtime, { extents: axes.extents, from, to, source, target, elementBytes: 4 });
    return;
  }
  const inner = from.indexOf(1);
  const rest = axes.extents.map((_, axis) => axis).filter((axis) => axis !== inner && axis !== last);
  const pick = (values: readonly number[], axesOf: readonly number[], scale = 4): number[] =>
    axesOf.map((axis) => values[axis]! * scale);
  const [rows, columns] = [axes.extents[last]!, axes.extents[inner]!];
  const run = (source: number, target: number, outer: readonly number[]): void => {
    if (outer.length > 3) {
      const [first, ...others] = outer as [number, ...number[]];
      for (let i = 0; i < axes.extents[first]!; i++)
        run(source + i * from[first]! * 4, target + i * to[first]! * 4, others);
      return;
    }
    const extents = padded(pick(axes.extents, outer, 1), 3, 1);
    const work = tf.util.sizeFromShape(extents) * rows * columns;
    runtime.run(
      Op.Transpose,
      [
        ...[source, target, ...extents, rows, columns],
        ...[...padded(pick(from, outer), 3, 0), from[last]! * 4, ...padded(pick(to, outer), 3, 0), to[inner]! * 4],
      ],
      runtime.chunks(work * 2, tf.util.sizeFromShape(extents) * Math.ceil(rows / 16)),
    );
  };
  run(source, target, rest);
}
