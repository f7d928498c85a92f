import { encodeSafetensors, FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Coding, codings } from './codings.ts';
import { type Entry, PLACES } from './format.ts';

/** What one tensor takes in the file, in bytes, without its share of the header. */
export interface StoredTensor {
  readonly path: string;
  readonly dense: number;
  readonly stored: number;
  /** Share of zeros; in a delta file of values that are the base's. */
  readonly sparsity: number;
  readonly coding: Coding | 'dense';
  readonly bits: 8 | 32;
}

/** A tensor as it is written. */
export interface Packed {
  readonly values: Float32Array | Int32Array;
  readonly places?: Uint8Array;
  readonly entry: Entry;
  readonly stored: StoredTensor;
}

/** What is to be written of a tensor. */
export interface ToPack {
  readonly values: Float32Array;
  readonly shape: readonly number[];
  readonly bits: 8 | 32;
  /** Whether value i has to be written. */
  readonly counts: (i: number) => boolean;
}

/** The smallest form of a tensor: the values that count with their places, by a bitmap or distances, or all of them. */
export function pack(path: string, { values, shape, bits, counts }: ToPack): Packed {
  const size = values.length;
  const places = Uint32Array.from(values.keys()).filter(counts);
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
  const rest = { stored, ...(sparse && { places: bytes }) };
  if (bits === 32) return { values: chosen, entry, ...rest };
  const { scale, levels } = quantize(path, chosen);
  return { values: levels, entry: { ...entry, scale }, ...rest };
}

/** 8-bit levels from −127 to 127, symmetric about 0. */
function quantize(path: string, values: Float32Array): { scale: number; levels: Int32Array } {
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  if (!Number.isFinite(largest)) {
    throw new FrugalError('BAD_OPTION', `'${path}' holds NaN or infinities, which 8 bits cannot. Take 32.`);
  }
  const scale = largest === 0 ? 1 : Math.fround(largest / 127);
  return {
    scale,
    levels: Int32Array.from(values, (value) => Math.max(-127, Math.min(127, Math.round(value / scale)))),
  };
}

/** The tensors of a file under way. */
export interface Parts {
  readonly entries: Record<string, Entry>;
  readonly tensors: Record<string, tf.Tensor>;
  readonly stored: StoredTensor[];
  /** Who made the file frees these. */
  readonly made: tf.Tensor[];
}

export const newParts = (): Parts => ({ entries: {}, tensors: {}, stored: [], made: [] });

/** Adds a tensor to a file, packed, or as it is where that is smaller or it cannot be packed. */
export function addPacked(parts: Parts, path: string, leaf: tf.Tensor, packed: Packed | undefined): void {
  const { entries, tensors, stored, made } = parts;
  if (path.endsWith(PLACES)) throw new FrugalError('BAD_OPTION', `In a sparse file no tensor may be called '${path}'.`);
  if (packed !== undefined) stored.push(packed.stored);
  if (packed === undefined || (packed.entry.coding === 'dense' && packed.entry.scale === undefined)) {
    tensors[path] = leaf;
    return;
  }
  const hold = (values: Float32Array | Int32Array, dtype: 'float32' | 'int32'): tf.Tensor => {
    const tensor = tf.tensor1d(values, dtype);
    made.push(tensor);
    return tensor;
  };
  entries[path] = packed.entry;
  tensors[path] = hold(packed.values, packed.entry.scale === undefined ? 'float32' : 'int32');
  if (packed.places !== undefined) tensors[path + PLACES] = hold(Int32Array.from(packed.places), 'int32');
}

/** The file; `kind` is the metadata entry that describes it. */
export function writeParts(
  { tensors, entries }: Parts,
  metadata: Readonly<Record<string, string>>,
  kind: string,
  more: object = {},
): Promise<Uint8Array> {
  return encodeSafetensors(tensors, {
    metadata: { ...metadata, [kind]: JSON.stringify({ version: 1, ...more, entries }) },
    dtypes: (name) => (name.endsWith(PLACES) ? 'U8' : entries[name]?.scale === undefined ? undefined : 'I8'),
  });
}
