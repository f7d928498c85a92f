import type { Tree } from '@frugal/tensor';
import { META } from './format.ts';
import { readParts } from './unpack.ts';

/** Options of `decodeSparse` and `decodeDelta`. */
export interface DecodeSparseOptions {
  /** The most elements that all tensors together may have: a small file may claim huge ones. Default 2²⁸, one GiB. */
  maxElements?: number;
}

/** The tree of a file that `encodeSparse` or `encodeDelta` wrote, and its other metadata. The caller owns the tensors. */
export interface DecodedSparse {
  tree: Tree;
  metadata: Record<string, string>;
}

/**
 * Reads a file of `encodeSparse`.
 *
 * @returns The tree by paths; with the model's own at hand, `treeRestore(like, treeEntries(tree))` gives its type.
 * @throws {FrugalError} `SPARSE_FILE` if the file was not written by `encodeSparse` or is broken; {SafetensorsError} if it is
 *   no safetensors file.
 */
export async function decodeSparse(
  source: Uint8Array | Blob,
  { maxElements = 2 ** 28 }: DecodeSparseOptions = {},
): Promise<DecodedSparse> {
  return readParts(source, { kind: META, maxElements, ground: () => undefined });
}
