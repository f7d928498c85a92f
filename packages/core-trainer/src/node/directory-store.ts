import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeFileAtomic } from '@frugal/tensor/node';
import type { CheckpointStore } from '../checkpoint/index.ts';

/** What a killed process leaves of a file that it was writing. */
const LEFTOVER = /\.[0-9a-f]{12}\.tmp$/;

async function ignoreAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Checkpoints as files of a folder, which is made where it is missing.
 *
 * Each is written to a temporary file, synced, renamed, and the folder synced: after a crash or a power cut it is there
 * entirely or not at all. One run at a time: what an interrupted one left half-written is removed at the first listing.
 *
 * @param path The folder.
 */
export function directoryStore(path: string): CheckpointStore {
  const folder = resolve(path);
  let cleaned = false;

  async function clean(files: readonly string[]): Promise<void> {
    cleaned = true;
    for (const file of files) if (LEFTOVER.test(file)) await ignoreAbsent(unlink(join(folder, file)));
  }

  return {
    async list() {
      const files = (await ignoreAbsent(readdir(folder))) ?? [];
      if (!cleaned) await clean(files);
      return files.filter((file) => !LEFTOVER.test(file));
    },
    read: (name) => readFile(join(folder, name)),
    async write(name, pieces) {
      await mkdir(folder, { recursive: true });
      await writeFileAtomic(join(folder, name), pieces);
      return join(folder, name);
    },
    async remove(name) {
      await ignoreAbsent(unlink(join(folder, name)));
    },
  };
}
