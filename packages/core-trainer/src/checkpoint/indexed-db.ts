import { joinPieces } from './join.ts';
import { hasOpfs, opfsStore } from './opfs.ts';
import type { CheckpointStore } from './store.ts';

const FILES = 'files';

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(FILES);
  return settled(request);
}

/**
 * Checkpoints in the browser's IndexedDB, one entry each. A transaction is written entirely or not at all, and to disk
 * before a write resolves.
 *
 * @param name The database's name, e.g. `'mnist-checkpoints'`.
 */
export function indexedDbStore(name: string): CheckpointStore {
  async function transact<T>(mode: IDBTransactionMode, body: (files: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const database = await openDatabase(name);
    try {
      const transaction = database.transaction(FILES, mode, { durability: 'strict' });
      const done = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error);
      });
      done.catch(() => undefined); // where the request fails, that is thrown
      const result = await settled(body(transaction.objectStore(FILES)));
      await done;
      return result;
    } finally {
      database.close();
    }
  }

  return {
    list: async () => (await transact('readonly', (files) => files.getAllKeys())).map(String),
    async read(file) {
      const bytes: Uint8Array | undefined = await transact('readonly', (files) => files.get(file));
      if (bytes === undefined) throw new Error(`There is no '${file}' in the database '${name}'.`);
      return bytes;
    },
    async write(file, pieces) {
      await transact('readwrite', (files) => files.put(joinPieces(pieces), file));
      return `indexeddb:${name}/${file}`;
    },
    async remove(file) {
      await transact('readwrite', (files) => files.delete(file));
    },
  };
}

/** Checkpoints in a browser: in its private file system where that writes atomically, else in IndexedDB. */
export function browserStore(name: string): CheckpointStore {
  return hasOpfs() ? opfsStore(name) : indexedDbStore(name);
}
