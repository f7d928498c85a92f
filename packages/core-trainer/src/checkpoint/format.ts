import { type DataPosition, decodeSafetensors, encodeSafetensorsStream, type Key, type Tree } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import { crc32c } from './crc32c.ts';
import { CheckpointError } from './errors.ts';

/** Anything that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** What a checkpoint says beside its tensors. */
export interface CheckpointInfo {
  /** Updates made. */
  readonly step: number;
  readonly position: DataPosition;
  /** The key of the run. */
  readonly key: Key;
  readonly backend: string;
  /** Which kernels computed it: another variant may differ in the last bits. */
  readonly variant: string;
  /** What the loop and its hooks need to go on. */
  readonly extra: Json;
}

/** Parts of a checkpoint; in the file their tensors are called `params.…`, `opt.…`, `state.…`, `ema.…`, `hooks.…`. */
export interface CheckpointParts {
  readonly params: Tree;
  readonly opt: Tree;
  readonly state: Readonly<Record<string, Tensor>>;
  readonly ema?: Tree;
  readonly hooks?: Readonly<Record<string, Tensor>>;
}

const FORMAT = 'frugal-checkpoint';
const VERSION = '1';
const CRC_FIELD = '"frugal.crc32c":"';
const NO_CRC = '00000000';

const hex = (word: number): string => word.toString(16).padStart(8, '0');

/** Where the checksum's eight digits stand in the header; in a JSON string the field's quotes would be escaped. */
function crcOffset(header: Uint8Array): number {
  const at = new TextDecoder('latin1').decode(header).indexOf(CRC_FIELD);
  return at < 0 ? -1 : at + CRC_FIELD.length;
}

/**
 * A checkpoint as the pieces of one safetensors file, read from the device.
 *
 * The metadata hold the CRC-32C of the whole file, taken with zeros in its own place. The tensors must live and the
 * pieces stay unchanged until they are written: they may be the backend's memory.
 */
export async function encodeCheckpoint(parts: CheckpointParts, info: CheckpointInfo): Promise<Uint8Array[]> {
  const metadata = {
    format: FORMAT,
    version: VERSION,
    step: String(info.step),
    epoch: String(info.position.epoch),
    batch: String(info.position.batch),
    key: hex(info.key.hi) + hex(info.key.lo),
    backend: info.backend,
    variant: info.variant,
    extra: JSON.stringify(info.extra),
    'frugal.crc32c': NO_CRC,
  };
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeSafetensorsStream(parts as unknown as Tree, { metadata })) pieces.push(piece);
  const header = pieces[0]!.slice();
  const crc = pieces.reduce((sum, piece) => crc32c(piece, sum), 0);
  header.set(new TextEncoder().encode(hex(crc)), crcOffset(header));
  return [header, ...pieces.slice(1)];
}

function broken(message: string, cause?: unknown): never {
  throw new CheckpointError('CHECKPOINT_BROKEN', message, { cause });
}

/** @throws {CheckpointError} `CHECKPOINT_BROKEN` unless every byte is as it was written. */
function verify(bytes: Uint8Array): void {
  if (bytes.length < 8) broken(`it has only ${bytes.length} bytes`);
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (headerLength > bytes.length - 8) broken('it is truncated');
  const header = bytes.slice(0, 8 + headerLength);
  const at = crcOffset(header);
  if (at < 0) broken('it has no checksum: it was not written as a checkpoint');
  const stated = new TextDecoder('latin1').decode(header.subarray(at, at + 8));
  header.set(new TextEncoder().encode(NO_CRC), at);
  const actual = hex(crc32c(bytes.subarray(header.length), crc32c(header)));
  if (actual !== stated) broken(`its checksum is ${actual}, it says ${stated}`);
}

function count(metadata: Readonly<Record<string, string>>, name: string): number {
  const value = Number(metadata[name]);
  if (!Number.isSafeInteger(value) || value < 0) broken(`its ${name} is '${metadata[name]}'`);
  return value;
}

/** A checkpoint that was read: its tensors by their names in the file. The caller owns the tensors. */
export interface Checkpoint {
  readonly info: CheckpointInfo;
  readonly tensors: Record<string, Tensor>;
}

/**
 * Reads a checkpoint and checks every byte of it.
 *
 * @throws {CheckpointError} `CHECKPOINT_BROKEN`, saying what is wrong.
 */
export async function decodeCheckpoint(bytes: Uint8Array): Promise<Checkpoint> {
  verify(bytes);
  const { tensors, metadata } = await decodeSafetensors(bytes);
  try {
    if (metadata.format !== FORMAT) broken(`its format is '${metadata.format}', not '${FORMAT}'`);
    if (metadata.version !== VERSION) {
      broken(`its format has version ${metadata.version}, this program reads version ${VERSION}`);
    }
    const key = metadata.key ?? '';
    const info: CheckpointInfo = {
      step: count(metadata, 'step'),
      position: { epoch: count(metadata, 'epoch'), batch: count(metadata, 'batch') },
      key: { hi: Number.parseInt(key.slice(0, 8), 16), lo: Number.parseInt(key.slice(8), 16) },
      backend: metadata.backend ?? '',
      variant: metadata.variant ?? '',
      extra: JSON.parse(metadata.extra ?? 'null') as Json,
    };
    return { info, tensors };
  } catch (error) {
    for (const tensor of Object.values(tensors)) tensor.dispose();
    throw error;
  }
}

/** The tensors of one part: those named `part.…`, without the prefix; `''` for a part that is a tensor itself. */
export function partEntries(tensors: Readonly<Record<string, Tensor>>, part: string): [path: string, leaf: Tensor][] {
  return Object.entries(tensors)
    .filter(([name]) => name === part || name.startsWith(`${part}.`))
    .map(([name, tensor]) => [name.slice(part.length + 1), tensor]);
}
