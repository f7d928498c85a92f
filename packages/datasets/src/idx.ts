import { FrugalError } from '@frugal/tensor';

/** The element types that an IDX file can have, as the arrays that hold them. */
export type IdxValues = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

/** The contents of an IDX file. */
export interface IdxArray {
  /** Sizes of the dimensions, the first being the number of examples. */
  readonly shape: readonly number[];
  /** All elements in row-major order. */
  readonly values: IdxValues;
}

/** A file is no IDX file, or a damaged one. */
export class IdxError extends FrugalError {
  constructor(message: string) {
    super('BAD_IDX', message);
  }
}

type Reader = { readonly bytes: number; read(view: DataView, offset: number, length: number): IdxValues };

function reader<T extends IdxValues>(
  bytes: number,
  make: (length: number) => T,
  get: (v: DataView, at: number) => number,
): Reader {
  return {
    bytes,
    read(view, offset, length) {
      const values = make(length);
      for (let i = 0; i < length; i++) values[i] = get(view, offset + i * bytes);
      return values;
    },
  };
}

/** By the third byte of the file. IDX is big-endian. */
const readers = new Map<number, Reader>([
  [0x08, { bytes: 1, read: (view, offset, length) => new Uint8Array(view.buffer, view.byteOffset + offset, length) }],
  [0x09, { bytes: 1, read: (view, offset, length) => new Int8Array(view.buffer, view.byteOffset + offset, length) }],
  [
    0x0b,
    reader(
      2,
      (n) => new Int16Array(n),
      (view, at) => view.getInt16(at),
    ),
  ],
  [
    0x0c,
    reader(
      4,
      (n) => new Int32Array(n),
      (view, at) => view.getInt32(at),
    ),
  ],
  [
    0x0d,
    reader(
      4,
      (n) => new Float32Array(n),
      (view, at) => view.getFloat32(at),
    ),
  ],
  [
    0x0e,
    reader(
      8,
      (n) => new Float64Array(n),
      (view, at) => view.getFloat64(at),
    ),
  ],
]);

/**
 * Parses an IDX file (the format of MNIST): two zero bytes, a type, a rank, the sizes, the elements.
 *
 * Byte files are not copied: `values` is a view of `bytes`.
 *
 * @param bytes The whole file, unpacked (`gunzip` first where it ends in `.gz`).
 * @throws {IdxError} If the header is none of IDX, or the length is not what the header says.
 */
export function parseIdx(bytes: Uint8Array): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0) {
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b ? ' It is gzipped: unpack it with gunzip first.' : '';
    throw new IdxError(`The file does not start like IDX (two zero bytes, a type, a rank).${packed}`);
  }
  const element = readers.get(view.getUint8(2));
  if (element === undefined) {
    throw new IdxError(`IDX type 0x${view.getUint8(2).toString(16)} is unknown. Known: 0x8, 0x9, 0xb, 0xc, 0xd, 0xe.`);
  }
  const rank = view.getUint8(3);
  const header = 4 + 4 * rank;
  if (bytes.length < header) throw new IdxError(`The file ends within its header: ${bytes.length} of ${header} bytes.`);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const length = shape.reduce((product, size) => product * size, 1);
  const expected = header + length * element.bytes;
  if (bytes.length !== expected) {
    throw new IdxError(`Shape [${shape}] makes ${expected} bytes, the file has ${bytes.length}. Fetch it again.`);
  }
  return { shape, values: element.read(view, header, length) };
}
