import type { Examples, Values } from './examples.ts';

/** How raw values become inputs: x = (raw · scale − mean) / std. */
export interface Normalization {
  readonly scale: number;
  readonly mean: number;
  readonly std: number;
}

/** Named normalisations; `mean` and `std` are those of the 60,000 training images in [0, 1]. */
export const normalizations: {
  /** Values as they are. */
  readonly none: Normalization;
  /** Bytes to [0, 1]. */
  readonly unit: Normalization;
  /** (raw/255 − 0.1307) / 0.3081 */
  readonly mnist: Normalization;
  /** (raw/255 − 0.2860) / 0.3530 */
  readonly fashionMnist: Normalization;
} = {
  none: { scale: 1, mean: 0, std: 1 },
  unit: { scale: 1 / 255, mean: 0, std: 1 },
  mnist: { scale: 1 / 255, mean: 0.1307, std: 0.3081 },
  fashionMnist: { scale: 1 / 255, mean: 0.286, std: 0.353 },
};

/**
 * The normalisation that gives these inputs mean 0 and variance 1, over all elements.
 *
 * Measure it on training data alone. Constant inputs get std 1.
 */
export function measureNormalization(examples: Pick<Examples, 'x'>): Normalization {
  const { x } = examples;
  const scale = x instanceof Uint8Array ? 1 / 255 : 1;
  let mean = 0;
  let squares = 0;
  // Welford: a plain sum of squares loses the variance of data far from zero.
  for (let i = 0; i < x.length; i++) {
    const value = x[i]! * scale;
    const delta = value - mean;
    mean += delta / (i + 1);
    squares += delta * (value - mean);
  }
  const std = Math.sqrt(squares / Math.max(1, x.length));
  return { scale, mean, std: std > 0 ? std : 1 };
}

/** Bytes have 256 values: a table is as exact as the formula and several times faster. */
function gatherBytes(x: Uint8Array, rows: Int32Array, width: number, table: Float32Array, out: Float32Array): void {
  let to = 0;
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i]! * width;
    for (let j = from; j < from + width; j++) out[to++] = table[x[j]!]!;
  }
}

/** Copies `rows` of `width` values each from `x` into a new Float32Array, normalised. */
export function gatherRows(x: Values, rows: Int32Array, width: number, normalization: Normalization): Float32Array {
  const { scale, mean, std } = normalization;
  const out = new Float32Array(rows.length * width);
  if (x instanceof Uint8Array) {
    const table = new Float32Array(256);
    for (let value = 0; value < 256; value++) table[value] = (value * scale - mean) / std;
    gatherBytes(x, rows, width, table, out);
    return out;
  }
  for (let i = 0; i < rows.length; i++) out.set(x.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  if (scale !== 1 || mean !== 0 || std !== 1)
    for (let i = 0; i < out.length; i++) out[i] = (out[i]! * scale - mean) / std;
  return out;
}
