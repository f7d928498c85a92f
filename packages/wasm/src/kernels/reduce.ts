import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { transpose } from './movement.ts';
import { sumPartials } from './norm.ts';
import { type KernelCall, type KernelFunction, over, type Registration } from './over.ts';

/** A line longer than this is cut into spans of this length, whatever the number of threads. */
const SPAN = 65_536;
/** Scratch of a thread in the sum over rows. */
const STRIP_BYTES = 512 * 4;

/** Where the reduced axes lie: x is [outer, reduced, inner]. `x` is a copy that must be freed where they were scattered. */
interface Layout {
  readonly x: tf.TensorInfo;
  readonly copied: boolean;
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
}

function layoutOf(runtime: Runtime, x: tf.TensorInfo, axes: readonly number[]): Layout {
  const shape = x.shape;
  const real = axes.filter((axis) => shape[axis] !== 1).sort((a, b) => a - b);
  const [first = 0, last = -1] = [real[0], real.at(-1)];
  const product = (from: number, to: number): number => tf.util.sizeFromShape(shape.slice(from, to));
  const between = shape.slice(first, last + 1).filter((extent, i) => extent !== 1 && !real.includes(first + i));
  if (between.length === 0) {
    return {
      x,
      copied: false,
      outer: product(0, first),
      reduced: product(first, last + 1),
      inner: product(last + 1, shape.length),
    };
  }
  const kept = shape.map((_, axis) => axis).filter((axis) => !real.includes(axis));
  const moved = transpose(runtime, x, [...kept, ...real]);
  const reduced = real.reduce((size, axis) => size * shape[axis]!, 1);
  return { x: moved, copied: true, outer: tf.util.sizeFromShape(shape) / reduced, reduced, inner: 1 };
}

/** out ← scale · Σ over the middle of [outer, reduced, inner]. */
function sumInto(runtime: Runtime, { x, outer, reduced, inner }: Layout, scale: number, out: tf.TensorInfo): void {
  const work = outer * reduced * inner;
  const [from, to] = [runtime.address(x), runtime.address(out)];
  if (outer * inner === 0) return;
  if (reduced === 0) {
    runtime.floats.fill(0, to >>> 2, (to >>> 2) + outer * inner);
  } else if (inner > 1) {
    sumRows(runtime, outer, reduced, inner, from, to, scale);
  } else if (outer * 4 > reduced / SPAN) {
    runtime.run(Op.SumLines, [outer, reduced, from, to, bits(scale)], runtime.chunks(work, outer));
  } else {
    for (let line = 0; line < outer; line++)
      sumSpans(runtime, reduced, from + line * reduced * 4, to + line * 4, scale);
  }
}

function sumSpans(runtime: Runtime, n: number, from: number, to: number, scale: number): void {
  const parts = Math.ceil(n / SPAN);
  const sums = runtime.workspace(parts * 8);
  runtime.run(Op.SumSpans, [parts, n, from, sums, SPAN], runtime.chunks(n, parts));
  let total = 0;
  for (const part of new Float64Array(runtime.floats.buffer, sums, parts)) total += part;
  runtime.floats[to >>> 2] = total * scale;
}

function sumRows(
  runtime: Runtime,
  outer: number,
  rows: number,
  columns: number,
  from: number,
  to: number,
  scale: number,
): void {
  runtime.needScratch(STRIP_BYTES);
  const strips = outer * Math.ceil(columns / 512);
  const work = outer * rows * columns;
  // Tall and narrow: groups of rows first, as many as the shape says and not as there are threads.
  const groups = strips < 8 && rows >= 4096 ? 16 : 1;
  if (groups === 1 || rows % groups !== 0) {
    runtime.run(Op.SumRows, [outer, rows, columns, from, to, bits(scale)], runtime.chunks(work, strips));
    return;
  }
  const sums = runtime.workspace(outer * groups * columns * 4);
  runtime.run(
    Op.SumRows,
    [outer * groups, rows / groups, columns, from, sums, bits(scale)],
    runtime.chunks(work, strips * groups),
  );
  for (let o = 0; o < outer; o++) {
    sumPartials(runtime, columns, groups, sums + o * groups * columns * 4, columns, to + o * columns * 4);
  }
}

interface Reduction {
  readonly axis: number | number[];
  readonly keepDims: boolean;
}

function shapes(x: tf.TensorInfo, { axis, keepDims }: Reduction): { axes: number[]; shape: number[] } {
  const axes = tf.util.parseAxisParam(axis, x.shape);
  const [outShape] = tf.backend_util.computeOutAndReduceShapes(x.shape, axes);
  return { axes, shape: keepDims ? tf.backend_util.expandShapeToKeepDim(outShape, axes) : outShape };
}

/** Σ or mean of a float32 tensor over some axes. */
export function reduceSum(runtime: Runtime, x: tf.TensorInfo, reduction: Reduction, mean = false): tf.TensorInfo {
  const { axes, shape } = shapes(x, reduction);
  const out = runtime.output(shape);
  const layout = layoutOf(runtime, x, axes);
  sumInto(runtime, layout, mean ? 1 / layout.reduced : 1, out);
  if (layout.copied) runtime.release(layout.x);
  return out;
}

function extreme(sign: 1 | -1): (runtime: Runtime, stock: KernelFunction) => KernelFunction {
  return (runtime, stock) => (call) => {
    const x = call.inputs['x']!;
    // `Max` calls its axes otherwise.
    const {
      axis,
      reductionIndices = axis!,
      keepDims,
    } = call.attrs as Partial<Reduction> & { reductionIndices?: number[] };
    const { axes, shape } = shapes(x, { axis: reductionIndices, keepDims: keepDims === true });
    const rank = x.shape.length;
    // Only the innermost axes, as in a softmax; others are the stock kernel's.
    const innermost = [...axes].sort((a, b) => a - b).every((axis, i) => axis === rank - axes.length + i);
    if (x.dtype !== 'float32' || !innermost) return stock(call);
    const lines = tf.util.sizeFromShape(shape);
    const n = tf.util.sizeFromShape(x.shape);
    if (n === 0) return stock(call);
    const out = runtime.output(shape);
    runtime.run(
      Op.Extreme,
      [lines, n / lines, runtime.address(x), runtime.address(out), sign],
      runtime.chunks(n, lines),
    );
    return out;
  };
}

function sum(mean: boolean): (runtime: Runtime, stock: KernelFunction) => KernelFunction {
  return (runtime, stock) => (call: KernelCall) => {
    const x = call.inputs['x']!;
    if (x.dtype !== 'float32') return stock(call);
    return reduceSum(runtime, x, call.attrs as unknown as Reduction, mean);
  };
}

export const reduceKernels: readonly Registration[] = [
  over('Sum', sum(false)),
  over('Mean', sum(true)),
  over('Max', extreme(1)),
  over('Min', extreme(-1)),
];
