import { type Tree, treeClone, treeDispose } from '@frugal/tensor';
import { type CheckpointInfo, type CheckpointParts, encodeCheckpoint } from './format.ts';
import type { CheckpointStore } from './store.ts';

const NAME = /^step-(\d{10,})\.safetensors$/;

/** The name of the checkpoint of a step; names sort like steps. */
export function checkpointName(step: number): string {
  return `step-${String(step).padStart(10, '0')}.safetensors`;
}

/** Checkpoints of runs in a store, the newest first. */
export async function listCheckpoints(store: CheckpointStore): Promise<{ name: string; step: number }[]> {
  const found: { name: string; step: number }[] = [];
  for (const name of await store.list()) {
    const step = NAME.exec(name)?.[1];
    if (step !== undefined) found.push({ name, step: Number(step) });
  }
  return found.sort((a, b) => b.step - a.step);
}

/** Writes checkpoints one after the other, in the background, and keeps the newest few. */
export class CheckpointWriter {
  readonly #store: CheckpointStore;
  readonly #keep: number;
  readonly #written: (step: number, path: string) => void;
  /** Of an earlier run that is not gone on with: they go when the first of this run is safe. */
  #stale: readonly string[];
  #pending: Promise<void> = Promise.resolve();

  constructor(
    store: CheckpointStore,
    keep: number,
    stale: readonly string[],
    written: (step: number, path: string) => void,
  ) {
    this.#store = store;
    this.#keep = keep;
    this.#stale = stale;
    this.#written = written;
  }

  /**
   * Reads the tensors off the device and starts writing them.
   *
   * @returns A promise that resolves when they are read: training may go on.
   * @throws What writing the previous one threw.
   */
  async save(parts: CheckpointParts, info: CheckpointInfo): Promise<void> {
    await this.#pending;
    // Clones share the memory, and hold it until the file is written: an optimizer that works in place then copies.
    const held = treeClone(parts as unknown as Tree) as unknown as CheckpointParts;
    const free = (): void => treeDispose(held as unknown as Tree);
    try {
      const pieces = await encodeCheckpoint(held, info);
      this.#pending = this.#write(info.step, pieces).finally(free);
    } catch (error) {
      free();
      throw error;
    }
    this.#pending.catch(() => undefined); // thrown by the next save, or by settled
  }

  /** Waits until everything is written. @throws What writing threw. */
  async settled(): Promise<void> {
    await this.#pending;
  }

  /** Removes the checkpoints after a step that a run went back to. */
  async forgetAfter(step: number): Promise<void> {
    await this.#pending;
    for (const { name, step: saved } of await listCheckpoints(this.#store)) {
      if (saved > step) await this.#store.remove(name);
    }
  }

  async #write(step: number, pieces: readonly Uint8Array[]): Promise<void> {
    const name = checkpointName(step);
    const path = await this.#store.write(name, pieces);
    const stale = this.#stale.filter((old) => old !== name);
    this.#stale = [];
    for (const old of stale) await this.#store.remove(old);
    for (const { name: old } of (await listCheckpoints(this.#store)).slice(this.#keep)) await this.#store.remove(old);
    this.#written(step, path);
  }
}
