import { type CountAboveAttrs, type GatherRowsAttrs, KernelName, type ScatterAddRowsAttrs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

/** Copies rows of `rowBytes` bytes; `rows` is the address of their numbers, all within range. */
export function copyRows(
  runtime: Runtime,
  count: number,
  rowBytes: number,
  x: number,
  rows: number,
  out: number,
): void {
  if (count === 0 || rowBytes === 0) return;
  runtime.run(Op.GatherRows, [count, rowBytes, x, rows, out], runtime.chunks((count * rowBytes) / 4, count));
}

/** Throws where a row number lies outside of [0, limit). */
export function checkRows(name: string, rows: ArrayLike<number>, limit: number): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (!(row >= 0 && row < limit)) throw refusal(name, `takes rows in [0, ${limit}), got ${row} at ${i}`);
  }
}

/** The bits of the largest float32 that is not above `threshold`. */
function bitsBelow(threshold: number): number {
  const value = Float32Array.of(threshold);
  const bits = new Int32Array(value.buffer)[0]!;
  return value[0]! > threshold ? bits - 1 : bits;
}

export const rowKernels: readonly Registration[] = [
  over(KernelName.GatherRows, (runtime) => ({ inputs, attrs }) => {
    const x = inputs['x']!;
    const { rows } = attrs as unknown as GatherRowsAttrs;
    const [n = 0, ...row] = x.shape;
    if (x.dtype === 'string') throw refusal(KernelName.GatherRows, 'takes numbers, got strings');
    checkRows(KernelName.GatherRows, rows, n);
    const out = runtime.output([rows.length, ...row], x.dtype);
    const rowBytes = tf.util.sizeFromShape(row) * tf.util.bytesPerElement(x.dtype);
    copyRows(runtime, rows.length, rowBytes, runtime.address(x), runtime.table(rows), runtime.address(out));
    return out;
  }),
  over(KernelName.CountAbove, (runtime) => ({ inputs, attrs }) => {
    const x = inputs['x']!;
    const { threshold } = attrs as unknown as CountAboveAttrs;
    expectFloat(KernelName.CountAbove, x);
    const columns = x.shape.at(-1) ?? 1;
    const rows = columns === 0 ? 0 : tf.util.sizeFromShape(x.shape) / columns;
    const [byRow, byColumn] = [runtime.output([rows], 'int32'), runtime.output([columns], 'int32')];
    const [to, at] = [runtime.address(byRow), runtime.address(byColumn)];
    runtime.ints.fill(0, at >>> 2, (at >>> 2) + columns);
    runtime.run(Op.CountAbove, [rows, columns, runtime.address(x), bitsBelow(threshold), to, at], 1);
    return [byRow, byColumn];
  }),
  over(KernelName.ScatterAddRows, (runtime) => ({ inputs, attrs }) => {
    const { into, x } = inputs as { into: tf.TensorInfo; x: tf.TensorInfo };
    const { rows, scale } = attrs as unknown as ScatterAddRowsAttrs;
    const name = KernelName.ScatterAddRows;
    expectFloat(name, into, x);
    const [limit = 0, ...row] = into.shape;
    if (!tf.util.arraysEqual(x.shape, [rows.length, ...row]) || (scale !== undefined && scale.length !== rows.length)) {
      throw refusal(
        name,
        `adds [${[rows.length, ...row]}] into [${into.shape}], got x [${x.shape}] and ${scale?.length ?? 'no'} scales`,
      );
    }
    checkRows(name, rows, limit);
    const out = runtime.donated(into, [into, x]);
    const columns = tf.util.sizeFromShape(row);
    if (rows.length * columns === 0) return out;
    const words = new Int32Array(rows.length * (scale ? 2 : 1));
    words.set(rows);
    if (scale) words.set(new Int32Array(Float32Array.from(scale).buffer), rows.length);
    const table = runtime.table(words);
    const args = [
      rows.length,
      columns,
      runtime.address(x),
      table,
      runtime.address(out),
      scale ? table + rows.length * 4 : 0,
      limit,
    ];
    runtime.run(Op.ScatterAddRows, args, runtime.chunks(rows.length * columns, Math.ceil(columns / 64)));
    return out;
  }),
];
