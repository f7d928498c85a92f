import { encodeSafetensors, FrugalError, type Tree, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { META } from './format.ts';
import { addPacked, newParts, pack, type StoredTensor, writeParts } from './pack.ts';

/** Options of `encodeSparse` and `encodeDelta`. */
export interface EncodeSparseOptions {
  /**
   * Bits of a value: 32 (default) is lossless, 8 stores round(w / s) with s = max |w| / 127 per tensor, so errs by s / 2 at
   * most; of a delta, w is the difference. Tensors of rank 0 and 1 (biases, scales) stay at 32.
   */
  bits?: 8 | 32;
  /** Free text entries. */
  metadata?: Readonly<Record<string, string>>;
}

/** A sparse file and what it takes. */
export interface SparseFile {
  readonly bytes: Uint8Array;
  readonly tensors: readonly StoredTensor[];
  /** Bytes of the safetensors file of the same tensors, dense, in float32. */
  readonly denseBytes: number;
  /** Share of that. */
  readonly ratio: number;
}

/**
 * Writes a tree as a safetensors file that holds only what is not zero: its values, and where they stand.
 *
 * Places are a bitmap or distances, whichever is smaller; a tensor with few zeros is stored densely. Any reader of safetensors
 * opens the file; `decodeSparse` puts the tensors together again. −0 counts as zero and comes back as 0.
 *
 * @param tree Parameters. Other tensors than float32 ones are stored as they are.
 * @throws {SafetensorsError} For a name that cannot be written; {FrugalError} `BAD_OPTION` for other numbers of bits, or a
 *   tensor that is not finite and asked for in 8.
 */
export async function encodeSparse(tree: Tree, options: EncodeSparseOptions = {}): Promise<SparseFile> {
  const { bits = 32, metadata = {} } = options;
  checkBits('encodeSparse', bits);
  const parts = newParts();
  try {
    for (const [path, leaf] of treeEntries(tree)) {
      const { shape, rank, dtype } = leaf as tf.Tensor;
      const values = dtype === 'float32' ? ((await leaf.data()) as Float32Array) : undefined;
      const own = rank > 1 ? bits : 32;
      addPacked(
        parts,
        path,
        leaf as tf.Tensor,
        values && pack(path, { values, shape, bits: own, counts: (i) => values[i] !== 0 }),
      );
    }
    const bytes = await writeParts(parts, metadata, META);
    const denseBytes = (await encodeSafetensors(tree, { metadata })).length;
    return { bytes, tensors: parts.stored, denseBytes, ratio: bytes.length / denseBytes };
  } finally {
    tf.dispose(parts.made);
  }
}

/** Refuses other numbers of bits than are known. */
export function checkBits(who: string, bits: number): void {
  if (bits === 8 || bits === 32) return;
  throw new FrugalError('BAD_OPTION', `${who}: bits must be 8 or 32, got ${bits}.`);
}
