import { encodeSafetensors, FrugalError, type Tree, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { DecodedSparse, DecodeSparseOptions } from './decode-sparse.ts';
import { checkBits, type EncodeSparseOptions, type SparseFile } from './encode-sparse.ts';
import { DELTA } from './format.ts';
import { addPacked, newParts, pack, writeParts } from './pack.ts';
import { readParts } from './unpack.ts';

/** The bits of a float32 array: what tells −0 from 0 and compares NaN. */
const bitsOf = (values: Float32Array): Int32Array => new Int32Array(values.buffer, values.byteOffset, values.length);

/**
 * Writes one of many models that were made of the same base, by fine-tuning or pruning: only what differs from it.
 *
 * With 32 bits the changed values and their places, lossless; with 8 the differences round((w − base) / s), s = max |w − base| / 127 per tensor, which
 * are small where a model was tuned little. `decodeDelta` puts base and file together again.
 *
 * @param base Parameters; the paths and shapes of `tree`. It is not in the file, only a fingerprint of it.
 * @returns The file; `ratio` is its size ÷ that of the dense file of `tree`.
 * @throws {FrugalError} `TREE_MISMATCH` if paths or shapes differ; else as `encodeSparse`.
 */
export async function encodeDelta(base: Tree, tree: Tree, options: EncodeSparseOptions = {}): Promise<SparseFile> {
  const { bits = 32, metadata = {} } = options;
  checkBits('encodeDelta', bits);
  const from = new Map(treeEntries(base));
  const parts = newParts();
  try {
    for (const [path, leaf] of treeEntries(tree)) {
      const { shape, rank, dtype } = leaf as tf.Tensor;
      const own = from.get(path);
      if (own === undefined || own.shape.join() !== shape.join() || own.dtype !== dtype) {
        const got = own === undefined ? 'nothing' : `${own.dtype} [${own.shape}]`;
        throw new FrugalError(
          'TREE_MISMATCH',
          `encodeDelta: '${path}' is ${dtype} [${shape}], and ${got} in the base.`,
        );
      }
      if (dtype !== 'float32') {
        addPacked(parts, path, leaf as tf.Tensor, undefined);
        continue;
      }
      const [now, before] = (await Promise.all([leaf.data(), own.data()])) as [Float32Array, Float32Array];
      const [a, b] = [bitsOf(now), bitsOf(before)];
      const coarse = bits === 8 && rank > 1;
      const values = coarse ? now.map((value, i) => value - before[i]!) : now;
      const counts = coarse ? (i: number) => values[i] !== 0 : (i: number) => a[i] !== b[i];
      addPacked(parts, path, leaf as tf.Tensor, pack(path, { values, shape, bits: coarse ? 8 : 32, counts }));
    }
    const bytes = await writeParts(parts, metadata, DELTA, { base: await fingerprint(base) });
    const denseBytes = (await encodeSafetensors(tree, { metadata })).length;
    return { bytes, tensors: parts.stored, denseBytes, ratio: bytes.length / denseBytes };
  } finally {
    tf.dispose(parts.made);
  }
}

/**
 * Reads a file of `encodeDelta` onto its base.
 *
 * @param base The very parameters that it was written against; they stay the caller's.
 * @throws {FrugalError} `WRONG_BASE` for another base; else as `decodeSparse`.
 */
export async function decodeDelta(
  base: Tree,
  source: Uint8Array | Blob,
  { maxElements = 2 ** 28 }: DecodeSparseOptions = {},
): Promise<DecodedSparse> {
  const from = new Map(treeEntries(base));
  const own = await fingerprint(base);
  return readParts(source, {
    kind: DELTA,
    maxElements,
    check(written) {
      if (written === own) return;
      throw new FrugalError(
        'WRONG_BASE',
        `The file was written against another base (${written}; this one is ${own}).`,
      );
    },
    ground(path, shape) {
      const leaf = from.get(path);
      if (leaf?.shape.join() === shape.join()) return leaf.data() as Promise<Float32Array>;
      throw new FrugalError('SPARSE_FILE', `The file is broken: '${path}' of shape [${shape}] is not in its base.`);
    },
  });
}

/** 64 bits (FNV-1a over words, twice) of the paths, shapes and values: tells bases apart, and is no protection against malice. */
async function fingerprint(tree: Tree): Promise<string> {
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  const mix = (word: number): void => {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ word ^ (b >>> 15), 0x85ebca6b);
  };
  for (const [path, leaf] of treeEntries(tree)) {
    for (const char of path) mix(char.codePointAt(0)!);
    for (const size of leaf.shape) mix(size);
    const values = await leaf.data();
    if (values instanceof Float32Array) for (const word of bitsOf(values)) mix(word);
    else for (const word of values as Int32Array) mix(Number(word));
  }
  return [a, b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}
