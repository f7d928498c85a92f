import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { directoryStore } from '../node/index.ts';
import { browserStore, type CheckpointStore, indexedDbStore, memoryStore, opfsStore } from './index.ts';

/** The origin private file system, as far as the standard and we go: what is written counts when it is closed. */
class FileHandle {
  readonly kind = 'file';
  content = new Uint8Array(0);
  async getFile(): Promise<Blob> {
    return new Blob([this.content]);
  }
  async createWritable() {
    let next = new Uint8Array(0);
    return {
      write: async (bytes: Uint8Array<ArrayBuffer>) => {
        next = bytes.slice();
      },
      close: async () => {
        this.content = next;
      },
      abort: async () => undefined,
    };
  }
}

class FolderHandle {
  readonly kind = 'directory';
  readonly entries = new Map<string, FileHandle | FolderHandle>();
  async getDirectoryHandle(name: string) {
    if (!this.entries.has(name)) this.entries.set(name, new FolderHandle());
    return this.entries.get(name);
  }
  async getFileHandle(name: string, options?: { create?: boolean }) {
    if (!this.entries.has(name)) {
      if (options?.create !== true) throw new DOMException('no such file', 'NotFoundError');
      this.entries.set(name, new FileHandle());
    }
    return this.entries.get(name);
  }
  async removeEntry(name: string) {
    if (!this.entries.delete(name)) throw new DOMException('no such file', 'NotFoundError');
  }
  async *[Symbol.asyncIterator]() {
    yield* this.entries;
  }
}

function fakeOpfs(): FolderHandle {
  const root = new FolderHandle();
  vi.stubGlobal('FileSystemFileHandle', FileHandle);
  vi.stubGlobal('navigator', { storage: { getDirectory: async () => root } });
  return root;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'frugal-stores-'));
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await rm(folder, { recursive: true });
});

const stores: Record<string, () => CheckpointStore> = {
  memoryStore,
  directoryStore: () => directoryStore(join(folder, 'a', 'b')),
  indexedDbStore: () => {
    vi.stubGlobal('indexedDB', new IDBFactory());
    return indexedDbStore('run');
  },
  opfsStore: () => {
    fakeOpfs();
    return opfsStore('a/b');
  },
};

describe.each(Object.entries(stores))('%s', (_, make) => {
  it('keeps what it is given, by name', async () => {
    const store = make();
    expect(await store.list()).toEqual([]);
    expect(await store.write('one', [Uint8Array.of(1, 2), Uint8Array.of(), Uint8Array.of(3)])).toContain('one');
    await store.write('two', [Uint8Array.of(4)]);
    await store.write('one', [Uint8Array.of(5, 6)]);
    expect((await store.list()).toSorted()).toEqual(['one', 'two']);
    expect([...(await store.read('one'))]).toEqual([5, 6]);
    await store.remove('one');
    await store.remove('one');
    expect(await store.list()).toEqual(['two']);
    await expect(store.read('one')).rejects.toThrow();
  });
});

it('directoryStore removes what a killed process left half-written, and nothing else', async () => {
  await writeFile(join(folder, 'step-1.safetensors.0123456789ab.tmp'), 'half');
  await writeFile(join(folder, 'notes.tmp'), 'mine');
  const store = directoryStore(folder);
  expect(await store.list()).toEqual(['notes.tmp']);
  expect(await directoryStore(folder).list()).toEqual(['notes.tmp']);
});

it('opfsStore does not list a file whose first write was never closed', async () => {
  const root = fakeOpfs();
  const store = opfsStore('');
  await root.getFileHandle('step-1', { create: true });
  expect(await store.list()).toEqual([]);
});

it('browserStore takes the file system where it writes atomically, else the database', async () => {
  expect(() => opfsStore('a')).toThrow(/indexedDbStore/);
  vi.stubGlobal('indexedDB', new IDBFactory());
  expect(await browserStore('a').write('x', [Uint8Array.of(1)])).toBe('indexeddb:a/x');
  fakeOpfs();
  expect(await browserStore('a').write('x', [Uint8Array.of(1)])).toBe('opfs:a/x');
});
