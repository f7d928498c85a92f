import { HeapFullError } from '../errors.ts';
import type { EmscriptenModule } from '../start/backend.ts';

/** Addresses end here. */
const SPACE = 2 ** 32;
/**
 * The heap grows no further than this. A request below `SPACE - LIMIT` can then never wrap around the end of the
 * address space, which tfjs's allocator does not notice: it would hand out memory that is not there.
 */
const LIMIT = 3.5 * 2 ** 30;

/** Makes every allocation of a running tfjs module checked: a typed error instead of a null or a wrapped address. */
export function guardHeap(module: EmscriptenModule, memory: WebAssembly.Memory): () => void {
  // Emscripten's exports replace themselves at their first call, and would replace ours.
  module._free(module._malloc(8));
  const malloc = module._malloc;
  const grow = memory.grow;
  memory.grow = (pages: number): number => {
    if (memory.buffer.byteLength + pages * 65536 > LIMIT) throw new RangeError('The heap may not grow further.');
    return grow.call(memory, pages);
  };
  module._malloc = (bytes: number): number => {
    const heap = memory.buffer.byteLength;
    if (bytes >= SPACE - LIMIT && heap + bytes >= SPACE) throw new HeapFullError(bytes, heap);
    const address = malloc(bytes) >>> 0;
    if (address === 0 || address + bytes > memory.buffer.byteLength)
      throw new HeapFullError(bytes, memory.buffer.byteLength);
    return address;
  };
  return () => {
    module._malloc = malloc;
    memory.grow = grow;
  };
}

/** Memory of our own in tfjs's heap, aligned to a cache line. */
export class Block {
  readonly #module: EmscriptenModule;
  #raw = 0;
  #bytes = 0;

  constructor(module: EmscriptenModule) {
    this.#module = module;
  }

  /** The address of at least `bytes` bytes; what was in the block is lost where it has to grow. */
  reserve(bytes: number): number {
    if (bytes > this.#bytes) {
      this.free();
      this.#raw = this.#module._malloc(bytes + 64) >>> 0;
      this.#bytes = bytes;
    }
    return Math.ceil(this.#raw / 64) * 64;
  }

  free(): void {
    if (this.#raw !== 0) this.#module._free(this.#raw);
    this.#raw = 0;
    this.#bytes = 0;
  }
}
