import * as tf from '@tensorflow/tfjs-core';
import { codecs } from './dtypes.ts';
import { SafetensorsError } from './errors.ts';
import { headerLength, parseHeader, type SafetensorsEntry, type SafetensorsHeader } from './header.ts';
import { quote } from './json.ts';
import { unpackStrings } from './strings.ts';

/** How tensors are read. */
export interface DecodeOptions {
  /** The longest header that is read, in bytes; 8 MiB (some 80,000 tensors). */
  maxHeaderBytes?: number;
  /** Round F64 to float32; otherwise a value that float32 cannot hold throws. */
  lossy?: boolean;
}

/** Anything of known size that can be read in parts, e.g. an open file. */
export interface RandomAccess {
  readonly size: number;
  /** Bytes [start, end); the reader may keep and change them. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** An open safetensors file: its header is checked, its tensors are read on request. */
export interface SafetensorsFile {
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Reads one tensor; the caller owns it. */
  load(name: string): Promise<tf.Tensor>;
}

/** The tensors of a file by name, in the order of its header, and its metadata. The caller owns the tensors. */
export interface Decoded {
  tensors: Record<string, tf.Tensor>;
  metadata: Record<string, string>;
}

function access(source: Uint8Array | Blob | RandomAccess): RandomAccess {
  if (source instanceof Uint8Array) {
    // A copy: tensors must not change with the caller's bytes, nor keep the whole file alive.
    return { size: source.length, read: async (start, end) => source.slice(start, end) };
  }
  if ('read' in source) return source;
  const read = async (start: number, end: number): Promise<Uint8Array> =>
    new Uint8Array(await source.slice(start, end).arrayBuffer());
  return { size: source.size, read };
}

/** `bytes` are the entry's own; aligned here if they are not. */
export function toTensor(entry: SafetensorsEntry, bytes: Uint8Array, lossy: boolean): tf.Tensor {
  const shape = [...entry.shape];
  if (entry.dtype === 'STRING') {
    const strings = unpackStrings(
      bytes,
      shape.reduce((a, b) => a * b, 1),
      entry.name,
    );
    return tf.tensor(strings, shape, 'string');
  }
  const codec = codecs[entry.dtype];
  try {
    const values = codec.read(bytes.byteOffset % codec.size === 0 ? bytes : bytes.slice(), lossy);
    if (codec.dtype !== 'complex64') return tf.tensor(values, shape, codec.dtype);
    const [re, im] = [0, 1].map((part) =>
      Float32Array.from({ length: values.length / 2 }, (_, i) => values[2 * i + part]!),
    );
    return tf.tidy(() => tf.complex(tf.tensor(re!, shape), tf.tensor(im!, shape)));
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw new SafetensorsError(error.code, `${quote(entry.name)}: ${error.message}`, { cause: error });
  }
}

async function readHeader(source: RandomAccess, options: DecodeOptions): Promise<SafetensorsHeader> {
  const length = headerLength(await source.read(0, Math.min(8, source.size)), options.maxHeaderBytes);
  if (8 + length > source.size) {
    const message = `The file is truncated: its header has ${length} bytes, the file ${source.size}.`;
    throw new SafetensorsError('SAFETENSORS_LENGTH', message);
  }
  return parseHeader(await source.read(8, 8 + length), source.size);
}

async function readEntry(source: RandomAccess, entry: SafetensorsEntry, options: DecodeOptions): Promise<tf.Tensor> {
  const bytes = await source.read(entry.start, entry.end);
  if (bytes.length !== entry.end - entry.start) {
    throw new SafetensorsError('SAFETENSORS_LENGTH', `The file became shorter while ${quote(entry.name)} was read.`);
  }
  return toTensor(entry, bytes, options.lossy ?? false);
}

/**
 * Opens a file without reading its tensors.
 *
 * @param source The bytes, a `Blob` or browser `File`, or anything of known size.
 * @throws {SafetensorsError} If the header is not well-formed or does not fit the file.
 */
export async function openSafetensors(
  source: Uint8Array | Blob | RandomAccess,
  options: DecodeOptions = {},
): Promise<SafetensorsFile> {
  const file = access(source);
  const { entries, metadata } = await readHeader(file, options);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return {
    entries,
    metadata,
    async load(name: string): Promise<tf.Tensor> {
      const entry = byName.get(name);
      if (entry === undefined) {
        const some = [...byName.keys()].slice(0, 8).map(quote).join(', ');
        throw new SafetensorsError(
          'SAFETENSORS_NAME',
          `The file has no tensor ${quote(name)}; it has ${some || 'none'}.`,
        );
      }
      return readEntry(file, entry, options);
    },
  };
}

/**
 * Reads a whole safetensors file.
 *
 * F16, BF16 and 8-bit floats become float32, integers int32, all exactly; what float32 or int32 cannot hold throws.
 * Memory stays within a small multiple of the file, whatever its header claims.
 *
 * @throws {SafetensorsError} If the file is not well-formed; no tensor is left then.
 */
export async function decodeSafetensors(
  source: Uint8Array | Blob | RandomAccess,
  options: DecodeOptions = {},
): Promise<Decoded> {
  const file = access(source);
  const { entries, metadata } = await readHeader(file, options);
  const tensors: [string, tf.Tensor][] = [];
  try {
    for (const entry of entries) tensors.push([entry.name, await readEntry(file, entry, options)]);
  } catch (error) {
    for (const [, tensor] of tensors) tensor.dispose();
    throw error;
  }
  return { tensors: Object.fromEntries(tensors), metadata: { ...metadata } };
}
