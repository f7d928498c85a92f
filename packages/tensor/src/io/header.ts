import { codecs, type SafetensorsDtype } from './dtypes.ts';
import { SafetensorsError, type SafetensorsFault } from './errors.ts';
import { type Json, parseStrictJson, quote } from './json.ts';
import { parseStringShape, STRING_PREFIX } from './strings.ts';

/** One tensor of a file. */
export interface SafetensorsEntry {
  readonly name: string;
  /** As stored; `'STRING'` for a tensor of strings that Frugal wrote. */
  readonly dtype: SafetensorsDtype | 'STRING';
  readonly shape: readonly number[];
  /** First byte and the one after the last, from the start of the file. */
  readonly start: number;
  readonly end: number;
}

/** What a header says: tensors in the order of the header, metadata without what belongs to string tensors. */
export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Length of the whole file in bytes. */
  readonly size: number;
}

/** 8 MiB hold some 80,000 tensors. */
export const DEFAULT_MAX_HEADER_BYTES: number = 8 * 2 ** 20;
const MAX_RANK = 32;
const LONE_SURROGATE = /\p{Surrogate}/u;

function fault(code: SafetensorsFault, message: string): never {
  throw new SafetensorsError(code, message);
}

/** Refuses names that become something else than a plain entry of an object. */
export function checkName(name: string, what: string): void {
  if (LONE_SURROGATE.test(name) || name === '__proto__' || (what === 'tensor' && name === '__metadata__')) {
    fault('SAFETENSORS_NAME', `A ${what} may not be called ${quote(name)}; choose another name.`);
  }
}

/**
 * Length of the header from the first 8 bytes of a file.
 *
 * @throws {SafetensorsError} If it is longer than `limit`.
 */
export function headerLength(prefix: Uint8Array, limit: number = DEFAULT_MAX_HEADER_BYTES): number {
  if (prefix.length < 8) fault('SAFETENSORS_LENGTH', 'The file is shorter than 8 bytes.');
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(limit)) {
    const message = `The header claims ${length} bytes, the limit is ${limit}. If the file is yours, raise maxHeaderBytes.`;
    fault('SAFETENSORS_HEADER_SIZE', message);
  }
  return Number(length);
}

function readShape(json: Json | undefined, name: string): number[] {
  const isSize = (size: Json): size is number =>
    Number.isSafeInteger(size) && (size as number) >= 0 && !Object.is(size, -0);
  if (!Array.isArray(json) || json.length > MAX_RANK || !json.every(isSize)) {
    fault('SAFETENSORS_SHAPE', `The shape of ${quote(name)} is no list of at most ${MAX_RANK} sizes.`);
  }
  return json;
}

/** The number of elements; refused beyond 2^53, also where another size is 0. */
function count(shape: readonly number[], name: string): number {
  const nonZero = shape.filter((size) => size > 0).reduce((a, b) => a * b, 1);
  if (!Number.isSafeInteger(nonZero)) fault('SAFETENSORS_SHAPE', `The shape of ${quote(name)} is larger than 2^53.`);
  return shape.includes(0) ? 0 : nonZero;
}

function readEntry(name: string, json: Json, dataStart: number): SafetensorsEntry & { dtype: SafetensorsDtype } {
  checkName(name, 'tensor');
  if (!(json instanceof Map)) fault('SAFETENSORS_HEADER', `The entry of ${quote(name)} is no object.`);
  const dtype = json.get('dtype');
  if (typeof dtype !== 'string' || !Object.hasOwn(codecs, dtype)) {
    const got = typeof dtype === 'string' ? quote(dtype) : 'none';
    const message = `The dtype of ${quote(name)} is ${got}; readable are ${Object.keys(codecs).join(', ')}.`;
    fault('SAFETENSORS_DTYPE', message);
  }
  const shape = readShape(json.get('shape'), name);
  const offsets = json.get('data_offsets');
  const [start, end] = Array.isArray(offsets) && offsets.length === 2 ? offsets : [];
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || (start as number) < 0) {
    fault('SAFETENSORS_OFFSETS', `The data_offsets of ${quote(name)} are no two integers from 0 on.`);
  }
  const bytes = count(shape, name) * codecs[dtype as SafetensorsDtype].size;
  if ((end as number) - (start as number) !== bytes) {
    fault(
      'SAFETENSORS_OFFSETS',
      `The offsets of ${quote(name)} span ${Number(end) - Number(start)} bytes, its shape needs ${bytes}.`,
    );
  }
  return {
    name,
    dtype: dtype as SafetensorsDtype,
    shape,
    start: dataStart + (start as number),
    end: dataStart + (end as number),
  };
}

function readMetadata(json: Json | undefined): Map<string, string> {
  if (json === undefined) return new Map();
  if (!(json instanceof Map)) fault('SAFETENSORS_HEADER', '__metadata__ is no object.');
  for (const [key, value] of json) {
    checkName(key, 'metadata entry');
    if (typeof value !== 'string') fault('SAFETENSORS_HEADER', `The metadata entry ${quote(key)} is no string.`);
  }
  return json as Map<string, string>;
}

/** Bytes of all tensors must follow each other without overlap or hole; returns where they end. */
function checkLayout(entries: readonly SafetensorsEntry[], dataStart: number): number {
  let at = dataStart;
  for (const entry of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (entry.start !== at) {
      const what = entry.start < at ? 'overlaps the tensor before it' : 'leaves a hole before it';
      fault('SAFETENSORS_OFFSETS', `${quote(entry.name)} ${what} in the file.`);
    }
    at = entry.end;
  }
  return at;
}

/**
 * Reads and checks a whole header (without its 8-byte length).
 *
 * @param fileSize Length of the file in bytes, where it is known; the tensors must end exactly there.
 * @throws {SafetensorsError} For whatever the format does not allow.
 */
export function parseHeader(bytes: Uint8Array, fileSize?: number): SafetensorsHeader {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SafetensorsError('SAFETENSORS_HEADER', 'The header is not UTF-8.', { cause });
  }
  if (text[0] !== '{') fault('SAFETENSORS_HEADER', "The header does not begin with '{': this is no safetensors file.");
  const json = parseStrictJson(text) as Map<string, Json>;
  const metadata = readMetadata(json.get('__metadata__'));
  const dataStart = 8 + bytes.length;
  const stored = [...json]
    .filter(([name]) => name !== '__metadata__')
    .map(([name, entry]) => readEntry(name, entry, dataStart));
  const size = checkLayout(stored, dataStart);
  if (fileSize !== undefined && fileSize !== size) {
    const what = fileSize < size ? 'is truncated' : 'goes on after its last tensor';
    fault('SAFETENSORS_LENGTH', `The file ${what}: it has ${fileSize} bytes, its header describes ${size}.`);
  }
  const entries = stored.map((entry): SafetensorsEntry => {
    const text = metadata.get(STRING_PREFIX + entry.name);
    if (text === undefined || entry.dtype !== 'U8' || entry.shape.length !== 1) return entry;
    const shape = readShape(parseStringShape(text) as Json, entry.name);
    count(shape, entry.name);
    metadata.delete(STRING_PREFIX + entry.name);
    return { ...entry, dtype: 'STRING', shape };
  });
  return { entries, metadata: Object.fromEntries(metadata), size };
}

/** The header of a file, 8-byte length included, padded with spaces so that the data begin at a multiple of 8. */
export function formatHeader(
  entries: readonly SafetensorsEntry[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const parts = entries.map(
    ({ name, dtype, shape, start, end }) =>
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [start, end] })}`,
  );
  if (Object.keys(metadata).length > 0) parts.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + length).fill(0x20, 8);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(json, 8);
  return out;
}
