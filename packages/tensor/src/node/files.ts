import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  type Decoded,
  type DecodeOptions,
  decodeSafetensors,
  type EncodeOptions,
  encodeSafetensorsStream,
  openSafetensors,
  type RandomAccess,
  type SafetensorsFile,
} from '../io/index.ts';
import type { Tree } from '../seams/index.ts';

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories; its rename is durable by itself.
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/**
 * Writes a file so that, whenever the process or the machine stops, `path` holds either the old bytes or all of the new ones.
 *
 * The bytes go to a temporary file beside it, are synced, and the file is renamed; then the directory is synced.
 *
 * @throws What the file system throws; the temporary file is removed and `path` is as it was.
 */
export async function writeFileAtomic(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const target = resolve(path);
  const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx');
  try {
    try {
      for await (const piece of pieces) await writeAll(file, piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(target));
}

/**
 * Writes tensors as a safetensors file, one tensor in memory at a time; atomic as `writeFileAtomic`.
 *
 * @param tensors Tensors by name, or any tree.
 * @throws {SafetensorsError} For what cannot be written; `path` is then as it was.
 */
export async function saveSafetensors(path: string, tensors: Tree, options: EncodeOptions = {}): Promise<void> {
  await writeFileAtomic(path, encodeSafetensorsStream(tensors, options));
}

function access(file: FileHandle, size: number): RandomAccess {
  return {
    size,
    async read(start: number, end: number): Promise<Uint8Array> {
      const out = new Uint8Array(end - start);
      let at = 0;
      while (at < out.length) {
        const { bytesRead } = await file.read(out, at, out.length - at, start + at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return out.subarray(0, at);
    },
  };
}

async function withFile<T>(path: string, body: (source: RandomAccess) => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    return await body(access(file, (await file.stat()).size));
  } finally {
    await file.close();
  }
}

/**
 * Reads a whole safetensors file. The caller owns the tensors.
 *
 * @throws {SafetensorsError} If the file is not well-formed.
 */
export async function loadSafetensors(path: string, options: DecodeOptions = {}): Promise<Decoded> {
  return withFile(path, (source) => decodeSafetensors(source, options));
}

/**
 * Opens a safetensors file, hands it to `body`, which loads the tensors that it wants, and closes it.
 *
 * @throws {SafetensorsError} If the file is not well-formed.
 */
export async function withSafetensors<T>(
  path: string,
  body: (file: SafetensorsFile) => Promise<T>,
  options: DecodeOptions = {},
): Promise<T> {
  return withFile(path, async (source) => body(await openSafetensors(source, options)));
}
