import { FrugalError } from '../errors.ts';
import type { Key } from '../seams/index.ts';
import { Domain, fillBlocks } from './philox.ts';

/**
 * The ±1 matrix that matmul kernels make inside their packing, written out densely (docs/random.md, domain 3).
 *
 * Its layout follows packed panels of 64 rows × 8 columns, so that a kernel never needs the matrix itself.
 *
 * @param key The key of this matrix.
 * @param rows Its rows, K.
 * @param columns Its columns, N.
 * @returns Row-major values, K·N.
 * @throws {FrugalError} `BAD_ARGUMENT` if a size is no positive integer.
 */
export function packedSigns(key: Key, rows: number, columns: number): Float32Array {
  if (!Number.isSafeInteger(rows * columns) || !Number.isInteger(rows) || rows <= 0 || columns <= 0) {
    throw new FrugalError('BAD_ARGUMENT', `rows and columns must be positive integers, got ${rows} and ${columns}.`);
  }
  const out = new Float32Array(rows * columns);
  const quadsPerPanel = Math.ceil(rows / 64);
  const words = new Int32Array(16);
  for (let panel = 0; panel * 8 < columns; panel++) {
    const width = Math.min(8, columns - panel * 8);
    for (let quad = 0; quad < quadsPerPanel; quad++) {
      fillBlocks(key, 4 * (panel * quadsPerPanel + quad), 4, words, Domain.packedSigns);
      const height = Math.min(64, rows - quad * 64);
      for (let row = 0; row < height; row++) {
        const at = (quad * 64 + row) * columns + panel * 8;
        const bit = 31 - (row >>> 1);
        for (let c = 0; c < width; c++) {
          const word = words[4 * (c & 3) + 2 * (row & 1) + (c >>> 2)]!;
          out[at + c] = 1 - 2 * ((word >>> bit) & 1);
        }
      }
    }
  }
  return out;
}
