import { type Dataset, FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type BatchOptions, rowDataset } from './rows.ts';

/** Numbers of all examples, one example after the other. */
export type Values = Float32Array | Int32Array | Uint8Array;

/** Nested lists of numbers, the outermost over examples. */
export type Nested = readonly number[] | readonly Nested[];

/** One part of the examples: a number each, numbers with the shape of one example (`[]`: a number each), or nested lists. */
export type Column =
  | Values
  | { readonly values: Values; readonly shape?: readonly number[]; readonly dtype?: 'float32' | 'int32' }
  | Nested;

interface Rows {
  readonly values: Values;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  /** Numbers of one example. */
  readonly width: number;
}

function shapeOf(nested: Nested): number[] {
  const first = nested[0];
  return Array.isArray(first) ? [nested.length, ...shapeOf(first)] : [nested.length];
}

function toRows(name: string, column: Column): Rows {
  if (ArrayBuffer.isView(column)) return toRows(name, { values: column as Values });
  if (!Array.isArray(column)) {
    const { values, shape = [], dtype } = column as Exclude<Column, Nested | Values>;
    const width = shape.reduce((product, size) => product * size, 1);
    return { values, shape, dtype: dtype ?? (values instanceof Float32Array ? 'float32' : 'int32'), width };
  }
  const [, ...shape] = shapeOf(column as Nested);
  const width = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from(tf.util.flatten(column as number[]));
  if (values.length !== width * (column as Nested).length) {
    throw new FrugalError('INVALID_ARGUMENT', `columns.${name} has rows of different lengths. Pad them to one length.`);
  }
  return { values, shape, dtype: 'float32', width };
}

function gather({ values, width }: Rows, start: number, end: number, order: Uint32Array, out: Values): Values {
  for (let i = start, at = 0; i < end; i++, at += width) {
    const row = order[i]! * width;
    if (width === 1) out[at] = values[row]!;
    else out.set(values.subarray(row, row + width), at);
  }
  return out;
}

/** Backends that copy numbers at once when a tensor is made of them; others keep the array. */
const COPYING: readonly string[] = ['wasm'];

/** Makes the batches of one column. A fresh array for each costs as much as filling it, so it is used again where it may. */
function batcher(column: Rows): (start: number, end: number, order: Uint32Array | undefined) => tf.Tensor {
  let spare: Values | undefined;
  const { values, shape, dtype, width } = column;
  return (start, end, order) => {
    const batchShape = [end - start, ...shape];
    // A view of consecutive rows is enough for those who copy.
    const copying = COPYING.includes(tf.getBackend());
    if (order === undefined) {
      const rows = values.subarray(start * width, end * width);
      return tf.tensor(copying ? rows : rows.slice(), batchShape, dtype);
    }
    const length = (end - start) * width;
    const make = (): Values => new (values.constructor as new (length: number) => Values)(length);
    if (!copying) return tf.tensor(gather(column, start, end, order, make()), batchShape, dtype);
    if (spare?.length !== length) spare = make();
    return tf.tensor(gather(column, start, end, order, spare), batchShape, dtype);
  };
}

/**
 * Batches of examples that lie in memory on the host, seeded and resumable at any batch.
 *
 *     fromArrays({ x: { values: pixels, shape: [28, 28, 1] }, y: Int32Array.of(3, 1, 4) }, { batchSize: 64 })
 *
 * Lists and `Float32Array`s become float32, the others int32, unless `dtype` says otherwise. A batch has the columns'
 * names with tensors `[B, ...shape]`. Nothing is copied until a batch is made; the arrays must not change meanwhile.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` if the columns do not have the same number of examples, or a count is out of range.
 */
export function fromArrays<C extends Readonly<Record<string, Column>>>(
  columns: C,
  options: BatchOptions,
): Dataset<{ [Name in keyof C]: tf.Tensor }> {
  const rows = Object.entries(columns).map(([name, column]) => [name, toRows(name, column)] as const);
  const sizes = rows.map(([name, { values, width }]) => `${name}: ${values.length / width}`);
  const size = rows.length === 0 ? 0 : rows[0]![1].values.length / rows[0]![1].width;
  if (rows.some(([, { values, width }]) => values.length !== size * width) || !Number.isInteger(size)) {
    throw new FrugalError(
      'INVALID_ARGUMENT',
      `columns must have the same whole number of examples, got ${sizes.join(', ')}. Check each column's shape.`,
    );
  }
  const batchers = rows.map(([name, column]) => [name, batcher(column)] as const);
  return rowDataset(size, options, (start, end, order) => {
    const parts = batchers.map(([name, batch]) => [name, batch(start, end, order)]);
    return Object.fromEntries(parts) as { [Name in keyof C]: tf.Tensor };
  });
}
