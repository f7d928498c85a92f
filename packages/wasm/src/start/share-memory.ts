/** What the export section of tfjs's binaries names, and nobody else's. */
const SIGNATURE = 'register_tensor';

/** A binary that is not the one expected; it is then run as it is. */
export class UnexpectedBinary extends Error {}

interface Section {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

function* sections(bytes: Uint8Array): Generator<Section> {
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at++]!;
    let size = 0;
    let byte = 128;
    for (let shift = 0; byte & 128; shift += 7) {
      byte = bytes[at++]!;
      size += (byte & 127) * 2 ** shift;
    }
    yield { id, start: at, end: at + size };
    at += size;
  }
}

function contains(bytes: Uint8Array, text: string): boolean {
  const codes = [...text].map((c) => c.charCodeAt(0));
  for (let at = bytes.indexOf(codes[0]!); at >= 0; at = bytes.indexOf(codes[0]!, at + 1)) {
    if (codes.every((code, i) => bytes[at + i] === code)) return true;
  }
  return false;
}

/** Whether this is the WebAssembly binary of tfjs. */
export function isTfjsBinary(bytes: Uint8Array): boolean {
  for (const { id, start, end } of sections(bytes))
    if (id === 7) return contains(bytes.subarray(start, end), SIGNATURE);
  return false;
}

const MEMORY_SECTION = 5;
const WITH_MAXIMUM = 1;
const SHARED_WITH_MAXIMUM = 3;

/**
 * A copy of a binary whose own memory is shared: the limits' flags byte of the memory section, 1 → 3.
 *
 * @throws {UnexpectedBinary} If it does not define exactly one unshared memory with a maximum.
 */
export function shareMemory(binary: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary);
  for (const { id, start } of sections(bytes)) {
    if (id !== MEMORY_SECTION) continue;
    if (bytes[start] !== 1 || bytes[start + 1] !== WITH_MAXIMUM) throw new UnexpectedBinary('unusual memory section');
    bytes[start + 1] = SHARED_WITH_MAXIMUM;
    return bytes;
  }
  throw new UnexpectedBinary('no memory section');
}

const IMPORT_SECTION = 2;

/**
 * A copy of our kernels' binary that imports an unshared memory: the limits' flags byte of the import, 3 → 1.
 *
 * The memory is its only import, so the flags are where the names "env" and "memory" end.
 */
export function unshareImport(binary: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary);
  for (const { id, start } of sections(bytes)) {
    if (id !== IMPORT_SECTION) continue;
    let at = start + 1; // one import
    at += 1 + bytes[at]!; // module name
    at += 1 + bytes[at]!; // field name
    if (bytes[at] !== 2 || bytes[at + 1] !== SHARED_WITH_MAXIMUM) throw new UnexpectedBinary('no shared memory import');
    bytes[at + 1] = WITH_MAXIMUM;
    return bytes;
  }
  throw new UnexpectedBinary('no import section');
}
