import { CheckpointError } from './errors.ts';
import { joinPieces } from './join.ts';
import type { CheckpointStore } from './store.ts';

async function openFolder(path: string): Promise<FileSystemDirectoryHandle> {
  let folder = await navigator.storage.getDirectory();
  for (const name of path.split('/').filter(Boolean)) folder = await folder.getDirectoryHandle(name, { create: true });
  return folder;
}

/** Whether this page has the origin private file system with atomic writes (Safari before 26 has none on pages). */
export function hasOpfs(): boolean {
  return (
    typeof navigator !== 'undefined' &&
    typeof navigator.storage?.getDirectory === 'function' &&
    typeof FileSystemFileHandle !== 'undefined' &&
    'createWritable' in FileSystemFileHandle.prototype
  );
}

/**
 * Checkpoints in the browser's origin private file system. A write goes to a copy that takes the file's place when it is
 * closed; a page that is closed meanwhile leaves the old file.
 *
 * @param path A folder, made where it is missing, e.g. `'checkpoints/mnist'`.
 * @throws {CheckpointError} `CHECKPOINT_STORE` where there is no such file system; use `indexedDbStore` there.
 */
export function opfsStore(path: string): CheckpointStore {
  if (!hasOpfs()) {
    throw new CheckpointError(
      'CHECKPOINT_STORE',
      'There is no origin private file system with createWritable here. Use indexedDbStore, or browserStore, which chooses.',
    );
  }
  return {
    async list() {
      const names: string[] = [];
      for await (const [name, handle] of await openFolder(path)) {
        // A file is empty until its first write is closed.
        if (handle.kind === 'file' && (await (handle as FileSystemFileHandle).getFile()).size > 0) names.push(name);
      }
      return names;
    },
    async read(name) {
      const file = await (await (await openFolder(path)).getFileHandle(name)).getFile();
      return new Uint8Array(await file.arrayBuffer());
    },
    async write(name, pieces) {
      const handle = await (await openFolder(path)).getFileHandle(name, { create: true });
      const stream = await handle.createWritable();
      try {
        await stream.write(joinPieces(pieces));
        await stream.close();
      } catch (error) {
        await stream.abort().catch(() => undefined);
        throw error;
      }
      return `opfs:${path}/${name}`;
    },
    async remove(name) {
      try {
        await (await openFolder(path)).removeEntry(name);
      } catch (error) {
        if ((error as DOMException).name !== 'NotFoundError') throw error;
      }
    },
  };
}
