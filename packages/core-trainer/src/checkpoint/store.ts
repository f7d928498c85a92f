import { joinPieces } from './join.ts';

/** Where checkpoints are kept: a folder, a browser's file system, memory, or somebody's bucket. */
export interface CheckpointStore {
  /** Names of what was written completely, in any order. */
  list(): Promise<string[]>;
  /** @throws If there is nothing of that name. */
  read(name: string): Promise<Uint8Array>;
  /**
   * Writes atomically: whatever happens meanwhile, the name holds its old bytes, or all of the new ones, or nothing.
   *
   * The pieces must not be changed. Durable when the promise resolves, with where it is, for people.
   */
  write(name: string, pieces: readonly Uint8Array[]): Promise<string>;
  /** Nothing happens if it is absent. */
  remove(name: string): Promise<void>;
}

/** A store in memory: for tests, and for going on within a page. */
export function memoryStore(): CheckpointStore {
  const files = new Map<string, Uint8Array>();
  return {
    list: async () => [...files.keys()],
    async read(name) {
      const bytes = files.get(name);
      if (bytes === undefined) throw new Error(`There is no '${name}' in this store.`);
      return bytes.slice();
    },
    async write(name, pieces) {
      files.set(name, joinPieces(pieces));
      return `memory:${name}`;
    },
    async remove(name) {
      files.delete(name);
    },
  };
}
