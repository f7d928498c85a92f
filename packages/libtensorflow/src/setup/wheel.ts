import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { LibtensorflowError } from '../errors.ts';

/** A file in a wheel, which is a zip. */
export interface WheelEntry {
  readonly name: string;
  readonly size: number;
  readonly compressedSize: number;
  readonly deflated: boolean;
  /** Where its local header stands. */
  readonly offset: number;
}

/** A wheel, opened for reading. */
export interface Wheel {
  readonly path: string;
  readonly entries: ReadonlyMap<string, WheelEntry>;
  /** Writes a file and returns its sha256 as RECORD has it; `progress` gets the bytes written so far. */
  extract(entry: WheelEntry, to: string, progress?: (bytes: number) => void): Promise<string>;
  /** The text of a small file. */
  text(entry: WheelEntry): Promise<string>;
  close(): Promise<void>;
}

const END = Buffer.from([0x50, 0x4b, 5, 6]);
const DIRECTORY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record and the longest comment after it. */
const TAIL = 22 + 0xffff;

/** The error for a wheel that cannot be read to its end. */
export function badWheel(path: string, what: string): LibtensorflowError {
  return new LibtensorflowError('BAD_WHEEL', `${basename(path)} ${what}.`, 'Download it again.');
}

async function readAt(file: FileHandle, path: string, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead < length) throw badWheel(path, 'ends too early');
  return buffer;
}

async function readDirectory(file: FileHandle, path: string): Promise<Map<string, WheelEntry>> {
  const { size } = await file.stat();
  const tail = await readAt(file, path, Math.max(0, size - TAIL), Math.min(size, TAIL));
  const at = tail.lastIndexOf(END);
  if (at < 0 || at + 22 > tail.length) throw badWheel(path, 'is no whole wheel (its end is missing)');
  const count = tail.readUInt16LE(at + 10);
  const directory = await readAt(file, path, tail.readUInt32LE(at + 16), tail.readUInt32LE(at + 12));
  const entries = new Map<string, WheelEntry>();
  let p = 0;
  while (p + 46 <= directory.length && directory.readUInt32LE(p) === DIRECTORY) {
    const nameLength = directory.readUInt16LE(p + 28);
    const name = directory.toString('utf8', p + 46, p + 46 + nameLength);
    const method = directory.readUInt16LE(p + 10);
    const [compressedSize, size, offset] = [20, 24, 42].map((field) => directory.readUInt32LE(p + field));
    if (method !== 0 && method !== 8) throw badWheel(path, `holds ${name} in a compression that is not known`);
    entries.set(name, {
      name,
      size: size!,
      compressedSize: compressedSize!,
      deflated: method === 8,
      offset: offset!,
    });
    p += 46 + nameLength + directory.readUInt16LE(p + 30) + directory.readUInt16LE(p + 32);
  }
  // 65535 stands for "see the 64-bit record"; no wheel of TensorFlow comes near.
  if (entries.size !== count || count === 0xffff) throw badWheel(path, 'has a broken table of contents');
  return entries;
}

/**
 * Opens a wheel.
 *
 * @throws {LibtensorflowError} `BAD_WHEEL` if it is not there, torn or no zip.
 */
export async function openWheel(path: string): Promise<Wheel> {
  const file = await open(path).catch((cause: unknown) => {
    const reason = `The wheel ${path} cannot be read.`;
    throw new LibtensorflowError('BAD_WHEEL', reason, 'Give the path of a TensorFlow wheel.', { cause });
  });
  const entries = await readDirectory(file, path).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });

  const extract = async (entry: WheelEntry, to: string, progress?: (bytes: number) => void): Promise<string> => {
    const header = await readAt(file, path, entry.offset, 30);
    if (header.readUInt32LE(0) !== LOCAL) throw badWheel(path, `has no ${entry.name} where its table says`);
    const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const sum = createHash('sha256');
    let written = 0;
    const tap = new Transform({
      transform(chunk: Buffer, _, done): void {
        sum.update(chunk);
        written += chunk.length;
        progress?.(written);
        done(null, chunk);
      },
    });
    await mkdir(dirname(to), { recursive: true });
    const end = start + entry.compressedSize - 1;
    const source = createReadStream(path, { start, end, highWaterMark: 1 << 20 });
    const target = createWriteStream(to);
    try {
      if (entry.deflated) await pipeline(source, createInflateRaw({ chunkSize: 1 << 20 }), tap, target);
      else await pipeline(source, tap, target);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') throw cause;
      throw new LibtensorflowError(
        'BAD_WHEEL',
        `${basename(path)} is damaged inside ${entry.name}.`,
        'Download it again.',
        { cause },
      );
    }
    if ((await stat(to)).size !== entry.size) throw badWheel(path, `ends too early, inside ${entry.name}`);
    return sum.digest('base64url');
  };

  const text = async (entry: WheelEntry): Promise<string> => {
    const header = await readAt(file, path, entry.offset, 30);
    const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const source = createReadStream(path, { start, end: start + entry.compressedSize - 1 });
    const chunks: Buffer[] = [];
    const collect = async (stream: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of stream) chunks.push(chunk);
    };
    if (entry.deflated) await pipeline(source, createInflateRaw(), collect);
    else await pipeline(source, collect);
    return Buffer.concat(chunks).toString('utf8');
  };
  return { path, entries, extract, text, close: () => file.close() };
}
