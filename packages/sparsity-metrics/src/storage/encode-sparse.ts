import { encodeSafetensors, FrugalError, type Tree, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Coding, codings } from './codings.ts';
import { type Entry, META, PLACES } from './format.ts';

/** Options of `encodeSparse`. */
export interface EncodeSparseOptions {
  /**
   * Bits of a value: 32 (default) is lossless, 8 stores round(w / s) with s = max |w| / 127 per tensor, so errs by s / 2 at
   * most. Tensors of rank 0 and 1 (biases, scales) stay at 32.
   */
  bits?: 8 | 32;
  /** Free text entries. */
  metadata?: Readonly<Record<string, string>>;
}

/** What one tensor takes in the file, in bytes, without its share of the header. */
export interface StoredTensor {
  readonly path: string;
  readonly dense: number;
  readonly stored: number;
  /** Share of zeros. */
  readonly sparsity: number;
  readonly coding: Coding | 'dense';
  readonly bits: 8 | 32;
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
  if (bits !== 8 && bits !== 32)
    throw new FrugalError('BAD_OPTION', `encodeSparse: bits must be 8 or 32, got ${bits}.`);
  const entries: Record<string, Entry> = {};
  const parts: Record<string, tf.Tensor> = {};
  const tensors: StoredTensor[] = [];
  const made: tf.Tensor[] = [];
  try {
    for (const [path, leaf] of treeEntries(tree)) {
      if (path.endsWith(PLACES))
        throw new FrugalError('BAD_OPTION', `encodeSparse: no tensor may be called '${path}'.`);
      if (leaf.dtype !== 'float32') {
        parts[path] = leaf as tf.Tensor;
        continue;
      }
      const values = (await leaf.data()) as Float32Array;
      const packed = pack(path, values, leaf as tf.Tensor, (leaf as tf.Tensor).rank > 1 ? bits : 32);
      if (packed.entry === undefined) parts[path] = leaf as tf.Tensor;
      else {
        entries[path] = packed.entry;
        parts[path] = keepIn(made, packed.values, packed.entry.scale === undefined ? 'float32' : 'int32');
        if (packed.places !== undefined) parts[path + PLACES] = keepIn(made, Int32Array.from(packed.places), 'int32');
      }
      tensors.push(packed.stored);
    }
    const bytes = await encodeSafetensors(parts, {
      metadata: { ...metadata, [META]: JSON.stringify({ version: 1, entries }) },
      dtypes: (name) => (name.endsWith(PLACES) ? 'U8' : entries[name]?.scale === undefined ? undefined : 'I8'),
    });
    const denseBytes = (await encodeSafetensors(tree, { metadata })).length;
    return { bytes, tensors, denseBytes, ratio: bytes.length / denseBytes };
  } finally {
    tf.dispose(made);
  }
}

function keepIn(made: tf.Tensor[], values: Float32Array | Int32Array, dtype: 'float32' | 'int32'): tf.Tensor {
  const tensor = tf.tensor1d(values, dtype);
  made.push(tensor);
  return tensor;
}

interface Packed {
  readonly values: Float32Array | Int32Array;
  readonly places?: Uint8Array;
  /** Undefined where the tensor is stored as it is. */
  readonly entry: Entry | undefined;
  readonly stored: StoredTensor;
}

/** The smallest form of a tensor. */
function pack(path: string, values: Float32Array, { shape }: tf.Tensor, bits: 8 | 32): Packed {
  const size = values.length;
  const places = Uint32Array.from(values.keys()).filter((i) => values[i] !== 0);
  const written = (Object.keys(codings) as Coding[]).map((coding) => ({
    coding,
    bytes: codings[coding].encode(places, size),
  }));
  const { coding, bytes } = written.reduce((a, b) => (b.bytes.length < a.bytes.length ? b : a));
  const width = bits / 8;
  const sparse = places.length * width + bytes.length < size * width;
  const chosen = sparse ? Float32Array.from(places, (i) => values[i]!) : values;
  const stored: StoredTensor = {
    path,
    dense: size * 4,
    stored: chosen.length * width + (sparse ? bytes.length : 0),
    sparsity: size === 0 ? 0 : 1 - places.length / size,
    coding: sparse ? coding : 'dense',
    bits,
  };
  const entry: Entry = { shape: [...shape], coding: stored.coding };
  if (bits === 32)
    return { values: chosen, entry: sparse ? entry : undefined, stored, ...(sparse && { places: bytes }) };
  const { scale, levels } = quantize(path, chosen);
  return { values: levels, entry: { ...entry, scale }, stored, ...(sparse && { places: bytes }) };
}

/** 8-bit levels from −127 to 127, symmetric about 0. */
function quantize(path: string, values: Float32Array): { scale: number; levels: Int32Array } {
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (!Number.isFinite(largest)) {
    throw new FrugalError(
      'BAD_OPTION',
      `encodeSparse: '${path}' holds NaN or infinities, which 8 bits cannot. Take 32.`,
    );
  }
  const scale = largest === 0 ? 1 : Math.fround(largest / 127);
  return {
    scale,
    levels: Int32Array.from(values, (value) => Math.max(-127, Math.min(127, Math.round(value / scale)))),
  };
}
