import { FrugalError } from '@frugal/tensor';
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
