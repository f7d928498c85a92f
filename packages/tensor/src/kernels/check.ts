import type { Tensor } from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';

/** An argument of a kernel does not fit: wrong shape, type or range. Thrown before anything changes. */
export class KernelArgumentError extends FrugalError {
  readonly kernel: string;
  readonly argument: string;

  constructor(kernel: string, argument: string, message: string) {
    super('KERNEL_ARGUMENT', `${kernel}: ${argument} ${message}`);
    this.kernel = kernel;
    this.argument = argument;
  }
}

/** A dimension: a number, or null for any. */
type Dimension = number | null;

/** Expects a float32 tensor of this shape. */
export function checkFloats(kernel: string, argument: string, tensor: Tensor, shape?: readonly Dimension[]): void {
  if (tensor.dtype !== 'float32') {
    throw new KernelArgumentError(kernel, argument, `must be float32, got ${tensor.dtype}. Cast it with tf.cast.`);
  }
  if (shape !== undefined) checkShape(kernel, argument, tensor, shape);
}

/** Expects this shape. */
export function checkShape(kernel: string, argument: string, tensor: Tensor, shape: readonly Dimension[]): void {
  const fits = tensor.rank === shape.length && shape.every((size, i) => size === null || size === tensor.shape[i]);
  if (fits) return;
  const wanted = shape.map((size) => size ?? 'any').join(', ');
  throw new KernelArgumentError(kernel, argument, `must have the shape [${wanted}], got [${tensor.shape}].`);
}

/** Expects finite numbers. */
export function checkFinite(kernel: string, numbers: Readonly<Record<string, number>>): void {
  for (const [argument, value] of Object.entries(numbers)) {
    if (!Number.isFinite(value))
      throw new KernelArgumentError(kernel, argument, `must be a finite number, got ${value}.`);
  }
}

/** Expects row numbers in [0, count). */
export function checkRows(kernel: string, rows: Int32Array, count: number): void {
  if (!(rows instanceof Int32Array)) {
    throw new KernelArgumentError(kernel, 'rows', 'must be an Int32Array: it is read on the host.');
  }
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (row >= 0 && row < count) continue;
    throw new KernelArgumentError(kernel, `rows[${i}]`, `must be a row in [0, ${count}), got ${row}.`);
  }
}

/** Expects the ends of `segments` consecutive runs of rows that cover `rows`. */
export function checkEnds(kernel: string, ends: readonly number[], segments: number, rows: number): void {
  if (ends.length !== segments) {
    throw new KernelArgumentError(kernel, 'ends', `must have one entry per segment, ${segments}, got ${ends.length}.`);
  }
  let before = 0;
  for (const [i, end] of ends.entries()) {
    if (!Number.isInteger(end) || end < before) {
      throw new KernelArgumentError(kernel, `ends[${i}]`, `must be an integer of at least ${before}, got ${end}.`);
    }
    before = end;
  }
  if (before !== rows)
    throw new KernelArgumentError(kernel, 'ends', `must end at the ${rows} rows, ends at ${before}.`);
}
