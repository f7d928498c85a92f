import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { type KernelCall, over, type Registration, refusal } from './over.ts';
import { copyRows } from './rows.ts';
import { copyStrided, rowMajor, transposeInto } from './strided.ts';

const isNumeric = (x: tf.TensorInfo): boolean => x.dtype === 'float32' || x.dtype === 'int32' || x.dtype === 'bool';
const wide = (x: tf.TensorInfo): boolean => x.dtype === 'float32' || x.dtype === 'int32';

/** x with its axes in another order; 4-byte elements. */
export function transpose(runtime: Runtime, x: tf.TensorInfo, permutation: readonly number[]): tf.TensorInfo {
  const out = runtime.output(
    permutation.map((axis) => x.shape[axis]!),
    x.dtype,
  );
  transposeInto(runtime, x, permutation, runtime.address(out));
  return out;
}

/** The part of x that begins at `begin` and has the shape `size`. */
function slice(runtime: Runtime, x: tf.TensorInfo, begin: readonly number[], size: readonly number[]): tf.TensorInfo {
  const out = runtime.output(size, x.dtype);
  const strides = rowMajor(x.shape);
  const elementBytes = tf.util.bytesPerElement(x.dtype);
  const first = begin.reduce((sum, b, axis) => sum + b * strides[axis]!, 0);
  const [source, target] = [runtime.address(x) + first * elementBytes, runtime.address(out)];
  copyStrided(runtime, { extents: size, from: strides, to: rowMajor(size), source, target, elementBytes });
  return out;
}

/** Writes x into `out` from element `at` on, whose strides are `to`. */
function place(runtime: Runtime, x: tf.TensorInfo, out: tf.TensorInfo, at: number, to: readonly number[]): void {
  const elementBytes = tf.util.bytesPerElement(x.dtype);
  const [source, target] = [runtime.address(x), runtime.address(out) + at * elementBytes];
  copyStrided(runtime, { extents: x.shape, from: rowMajor(x.shape), to, source, target, elementBytes });
}

function concat(runtime: Runtime, parts: readonly tf.TensorInfo[], axis: number): tf.TensorInfo {
  const shapes = parts.map((x) => x.shape);
  tf.backend_util.assertParamsConsistent(shapes, axis);
  const shape = tf.backend_util.computeOutShape(shapes, axis);
  const out = runtime.output(shape, parts[0]!.dtype);
  const strides = rowMajor(shape);
  let at = 0;
  for (const x of parts) {
    place(runtime, x, out, at * strides[axis]!, strides);
    at += x.shape[axis]!;
  }
  return out;
}

/** Fills a new tensor with one value. */
export function filled(
  runtime: Runtime,
  shape: readonly number[],
  dtype: 'float32' | 'int32' | 'bool',
  value: number,
): tf.TensorInfo {
  const out = runtime.output(shape, dtype);
  const n = tf.util.sizeFromShape(shape as number[]);
  const address = runtime.address(out);
  if (dtype === 'bool' || value === 0) {
    runtime.backend.wasm.HEAPU8.fill(value, address, address + n * tf.util.bytesPerElement(dtype));
  } else if (n > 0) {
    runtime.run(
      Op.Fill,
      [n, address, dtype === 'float32' ? bits(value) : value],
      runtime.chunks(n, Math.ceil(n / 1024)),
    );
  }
  return out;
}

function gather(
  runtime: Runtime,
  x: tf.TensorInfo,
  indices: tf.TensorInfo,
  axis: number,
  batchDims: number,
): tf.TensorInfo {
  const [parsed] = tf.util.parseAxisParam(axis, x.shape) as [number];
  const info = tf.backend_util.segment_util.collectGatherOpShapeInfo(
    x as tf.Tensor,
    indices as tf.Tensor,
    parsed,
    batchDims,
  );
  const { batchSize, outerSize, dimSize, sliceSize, outputShape } = info;
  const count = tf.util.sizeFromShape(indices.shape);
  const start = runtime.address(indices) >>> 2;
  for (let i = 0; i < count; i++) {
    const index = runtime.ints[start + i]!;
    if (index < 0 || index >= dimSize)
      throw refusal('GatherV2', `takes indices in [0, ${dimSize}), got ${index} at ${i}`);
  }
  const out = runtime.output(outputShape, x.dtype);
  const rowBytes = sliceSize * tf.util.bytesPerElement(x.dtype);
  const perBatch = batchSize === 0 ? 0 : count / batchSize;
  let target = runtime.address(out);
  for (let batch = 0; batch < batchSize; batch++) {
    const rows = runtime.address(indices) + batch * perBatch * 4;
    for (let outer = 0; outer < outerSize; outer++) {
      const source = runtime.address(x) + (batch * outerSize + outer) * dimSize * rowBytes;
      copyRows(runtime, perBatch, rowBytes, source, rows, target);
      target += perBatch * rowBytes;
    }
  }
  return out;
}

function segmentSum(runtime: Runtime, x: tf.TensorInfo, ids: tf.TensorInfo, segments: number): tf.TensorInfo {
  const shape = [segments, ...x.shape.slice(1)];
  const out = filled(runtime, shape, 'float32', 0);
  const columns = tf.util.sizeFromShape(x.shape.slice(1));
  const n = x.shape[0]!;
  if (n * columns === 0) return out;
  const [from, rows, into] = [x, ids, out].map((t) => runtime.address(t)) as [number, number, number];
  runtime.run(
    Op.ScatterAddRows,
    [n, columns, from, rows, into, 0, segments],
    runtime.chunks(n * columns, Math.ceil(columns / 64)),
  );
  return out;
}

type Attrs = Record<string, unknown>;
const attrsOf = (call: KernelCall): Attrs => call.attrs as unknown as Attrs;

export const movementKernels: readonly Registration[] = [
  over('Transpose', (runtime, stock) => (call) => {
    const x = call.inputs['x']!;
    const permutation = attrsOf(call)['perm'] as number[];
    if (!wide(x)) return stock(call);
    return transpose(runtime, x, permutation);
  }),
  over('Slice', (runtime, stock) => (call) => {
    const x = call.inputs['x']!;
    if (!isNumeric(x)) return stock(call);
    const { begin, size } = attrsOf(call) as { begin: number | number[]; size: number | number[] };
    const [from, shape] = tf.slice_util.parseSliceParams(x, begin, size) as [number[], number[]];
    tf.slice_util.assertParamsValid(x as tf.Tensor, from, shape);
    return slice(runtime, x, from, shape);
  }),
  over('SplitV', (runtime, stock) => (call) => {
    const x = call.inputs['x']!;
    if (!isNumeric(x)) return stock(call);
    const { numOrSizeSplits, axis } = attrsOf(call) as { numOrSizeSplits: number | number[]; axis: number };
    const [along] = tf.util.parseAxisParam(axis, x.shape) as [number];
    const begin = new Array<number>(x.shape.length).fill(0);
    return tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along).map((extent) => {
      const part = slice(runtime, x, begin, x.shape.with(along, extent));
      begin[along]! += extent;
      return part;
    });
  }),
  over('Concat', (runtime, stock) => (call) => {
    const parts = call.inputs as unknown as tf.TensorInfo[];
    const first = parts[0]!;
    if (!isNumeric(first) || parts.some((x) => x.dtype !== first.dtype)) return stock(call);
    const [axis] = tf.util.parseAxisParam(attrsOf(call)['axis'] as number, first.shape) as [number];
    const filledParts = parts.filter((x) => tf.util.sizeFromShape(x.shape) > 0);
    if (filledParts.length === 1) return runtime.share(filledParts[0]!);
    return concat(runtime, filledParts.length === 0 ? parts : filledParts, axis);
  }),
  over('Pack', (runtime, stock) => (call) => {
    const parts = call.inputs as unknown as tf.TensorInfo[];
    const first = parts[0]!;
    if (!isNumeric(first) || parts.some((x) => x.dtype !== first.dtype)) return stock(call);
    for (const x of parts)
      tf.util.assertShapesMatch(first.shape, x.shape, 'All tensors passed to stack must have matching shapes');
    const axis = attrsOf(call)['axis'] as number;
    const at = axis < 0 ? axis + first.shape.length + 1 : axis;
    const wider = parts.map((x) => ({ ...x, dataId: x.dataId, dtype: x.dtype, shape: x.shape.toSpliced(at, 0, 1) }));
    return concat(runtime, wider, at);
  }),
  over('Unpack', (runtime, stock) => (call) => {
    const x = call.inputs['value']!;
    if (!isNumeric(x)) return stock(call);
    const axis = attrsOf(call)['axis'] as number;
    const at = axis < 0 ? axis + x.shape.length : axis;
    const begin = new Array<number>(x.shape.length).fill(0);
    return Array.from({ length: x.shape[at]! }, (_, i) => {
      const part = slice(runtime, x, begin.with(at, i), x.shape.with(at, 1));
      return { ...part, shape: x.shape.toSpliced(at, 1) };
    });
  }),
  over('PadV2', (runtime, stock) => (call) => {
    const x = call.inputs['x']!;
    const { paddings, constantValue } = attrsOf(call) as { paddings: [number, number][]; constantValue: number };
    if (!isNumeric(x)) return stock(call);
    const shape = x.shape.map((extent, axis) => extent + paddings[axis]![0] + paddings[axis]![1]);
    const out = filled(runtime, shape, x.dtype as 'float32' | 'int32' | 'bool', constantValue);
    const strides = rowMajor(shape);
    const first = paddings.reduce((sum, [before], axis) => sum + before * strides[axis]!, 0);
    place(runtime, x, out, first, strides);
    return out;
  }),
  over('Tile', (runtime, stock) => (call) => {
    const x = call.inputs['x']!;
    const reps = attrsOf(call)['reps'] as number[];
    if (!isNumeric(x)) return stock(call);
    const shape = x.shape.map((extent, axis) => extent * reps[axis]!);
    const out = runtime.output(shape, x.dtype);
    const [own, strides] = [rowMajor(x.shape), rowMajor(shape)];
    // Each axis becomes two, the repetitions with a stride of 0.
    const extents = x.shape.flatMap((extent, axis) => [reps[axis]!, extent]);
    const from = own.flatMap((step) => [0, step]);
    const to = strides.flatMap((step, axis) => [step * x.shape[axis]!, step]);
    const elementBytes = tf.util.bytesPerElement(x.dtype);
    copyStrided(runtime, { extents, from, to, source: runtime.address(x), target: runtime.address(out), elementBytes });
    return out;
  }),
  over('GatherV2', (runtime, stock) => (call) => {
    const { x, indices } = call.inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
    const { axis, batchDims } = attrsOf(call) as { axis: number; batchDims: number };
    if (!isNumeric(x) || indices.dtype !== 'int32') return stock(call);
    return gather(runtime, x, indices, axis, batchDims);
  }),
  over('UnsortedSegmentSum', (runtime, stock) => (call) => {
    const { x, segmentIds } = call.inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
    if (x.dtype !== 'float32' || segmentIds.dtype !== 'int32' || segmentIds.shape.length !== 1) return stock(call);
    return segmentSum(runtime, x, segmentIds, attrsOf(call)['numSegments'] as number);
  }),
];
