import { SafetensorsError } from './errors.ts';
import { parseStrictJson, quote } from './json.ts';

/**
 * safetensors has no strings: a string tensor is written as `U8`, each string a 4-byte little-endian length and its bytes
 * (tfjs's own weight format), and its shape goes into the metadata under this prefix and the tensor's name.
 */
export const STRING_PREFIX = 'tfjs.string.';

/** Length-prefixed strings, one after the other. */
export function packStrings(strings: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(strings.reduce((sum, bytes) => sum + 4 + bytes.length, 0));
  const lengths = new DataView(out.buffer);
  let at = 0;
  for (const bytes of strings) {
    lengths.setUint32(at, bytes.length, true);
    out.set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  return out;
}

/**
 * Undoes `packStrings`.
 *
 * @throws {SafetensorsError} If `bytes` are not exactly `count` strings.
 */
export function unpackStrings(bytes: Uint8Array, count: number, name: string): Uint8Array[] {
  const fail = (): never => {
    throw new SafetensorsError('SAFETENSORS_VALUE', `${quote(name)} does not hold the ${count} strings of its shape.`);
  };
  // A string takes four bytes at least, so a shape cannot ask for more memory than the file has.
  if (count > bytes.length / 4) return count === 0 && bytes.length === 0 ? [] : fail();
  const lengths = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const out: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) fail();
    const end = at + 4 + lengths.getUint32(at, true);
    if (end > bytes.length) fail();
    out.push(bytes.slice(at + 4, end));
    at = end;
  }
  if (at !== bytes.length) fail();
  return out;
}

/** The shape of a string tensor from its metadata entry. */
export function parseStringShape(text: string): unknown {
  return parseStrictJson(text);
}
