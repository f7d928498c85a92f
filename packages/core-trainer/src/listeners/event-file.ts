import { maskedCrc32c } from '../checkpoint/index.ts';

/** One value of a TensorBoard event: a scalar, or a text. */
export type Summary = { tag: string; scalar: number } | { tag: string; text: string };

const utf8 = new TextEncoder();
const DT_STRING = 7;

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A protocol buffer's integer in [0, 2⁵³): seven bits a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

const integer = (field: number, value: number): Uint8Array => concat([varint(field << 3), varint(value)]);

function bytesField(field: number, bytes: Uint8Array): Uint8Array {
  return concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

const text = (field: number, value: string): Uint8Array => bytesField(field, utf8.encode(value));

function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concat([varint((field << 3) | 1), bytes]);
}

function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concat([varint((field << 3) | 5), bytes]);
}

/** `Summary.Value` of tensorflow/core/framework/summary.proto. */
function summaryValue(summary: Summary): Uint8Array {
  const tag = text(1, summary.tag);
  if ('scalar' in summary) return concat([tag, float(2, summary.scalar)]);
  const metadata = bytesField(9, bytesField(1, text(1, 'text')));
  const shape = bytesField(2, bytesField(2, integer(1, 1)));
  const tensor = bytesField(8, concat([integer(1, DT_STRING), shape, text(8, summary.text)]));
  return concat([tag, tensor, metadata]);
}

/** A TFRecord: length, its checksum, the bytes, their checksum; little-endian, checksums masked CRC-32C. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length + 4);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return out;
}

/** The record that an event file begins with. `wallTime` in seconds since 1970. */
export function versionRecord(wallTime: number): Uint8Array {
  return tfRecord(concat([double(1, wallTime), text(3, 'brain.Event:2')]));
}

/** A record with the values of one step. */
export function summaryRecord(wallTime: number, step: number, values: readonly Summary[]): Uint8Array {
  const summary = concat(values.map((value) => bytesField(1, summaryValue(value))));
  return tfRecord(concat([double(1, wallTime), integer(2, step), bytesField(5, summary)]));
}
