import { FrugalError } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import { checkPositive } from './checks.ts';
import type { Initializer } from './initializers.ts';
import type { Padding } from './spec.ts';

/** One number for both axes, or [height, width]. */
export type Size2d = number | readonly [height: number, width: number];

/** Options of the two-dimensional convolutions. */
export interface ConvOptions<B extends boolean = true> {
  /** Default 1. */
  strides?: Size2d;
  /** `'valid'` (default), `'same'`, or zeros on each side. */
  padding?: Padding;
  /** Distance between the kernel's taps. Default 1; tfjs wants strides of 1 with any other. */
  dilation?: Size2d;
  /** Whether a bias is added. Default true. */
  bias?: B;
  /** Default `heNormal()`. */
  weightInit?: Initializer;
  /** Default `zeros()`. */
  biasInit?: Initializer;
}

/** A pair from a number or a pair. */
export function pair(size: Size2d): [number, number] {
  return typeof size === 'number' ? [size, size] : [size[0], size[1]];
}

/** Checks what every convolution is given. */
export function checkConv(
  kind: string,
  sizes: Readonly<Record<string, number>>,
  pairs: Readonly<Record<string, readonly number[]>>,
  padding: Padding | 'causal',
): void {
  checkPositive(kind, sizes);
  for (const [name, values] of Object.entries(pairs)) {
    for (const value of values) checkPositive(kind, { [name]: value });
  }
  const known = padding === 'valid' || padding === 'same' || padding === 'causal';
  if (!known && !(Number.isInteger(padding) && padding >= 0)) {
    throw new FrugalError(
      'BAD_OPTION',
      `${kind}: padding is 'valid', 'same' or a count of zeros on each side, got ${padding}.`,
    );
  }
}

/**
 * Padding as tfjs's convolutions of an image [B, H, W, C] take it.
 *
 * A count goes as explicit padding, for tfjs calculates the output of a single number from the *height* of kernel and
 * stride on both axes. So does 'same' where strides pass the kernel: stock wasm is wrong there.
 */
export function toPad(
  padding: Padding,
  image: readonly number[],
  kernel: readonly [number, number],
  strides: readonly [number, number],
): 'same' | 'valid' {
  if (typeof padding === 'number') return padding === 0 ? 'valid' : explicitPad([padding, padding], [padding, padding]);
  if (padding === 'valid' || (strides[0] <= kernel[0] && strides[1] <= kernel[1])) return padding;
  const around = (axis: 0 | 1): [number, number] => {
    const size = image[axis + 1]!;
    const zeros = Math.max(0, (Math.ceil(size / strides[axis]) - 1) * strides[axis] + kernel[axis] - size);
    return [Math.floor(zeros / 2), Math.ceil(zeros / 2)];
  };
  return explicitPad(around(0), around(1));
}

/** Zeros before and after, on either axis. The types of tfjs leave this out at places where its code takes it. */
export function explicitPad(rows: [number, number], columns: [number, number]): 'same' | 'valid' {
  const pad: tf.backend_util.ExplicitPadding = [[0, 0], rows, columns, [0, 0]];
  return pad as unknown as 'same';
}
