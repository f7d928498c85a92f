import * as tf from '@tensorflow/tfjs-core';
import { WasmUnavailableError } from '../errors.ts';
import { isTfjsBinary, shareMemory, UnexpectedBinary } from './share-memory.ts';

/** What tfjs's emscripten module offers, as far as it is used here. */
export interface EmscriptenModule {
  readonly HEAPU8: Uint8Array;
  readonly HEAP32: Int32Array;
  readonly HEAPU32: Uint32Array;
  readonly HEAPF32: Float32Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
  /** Absent in the threaded build, which has `wasmMemory`. */
  readonly asm?: { readonly memory?: WebAssembly.Memory };
  readonly wasmMemory?: WebAssembly.Memory;
  readonly tfjs: {
    registerTensor(id: number, size: number, address: number): void;
    disposeData(id: number): void;
  };
}

/** What the backend keeps of a tensor. */
export interface HeapData {
  readonly id: number;
  /** Null for strings. */
  readonly memoryOffset: number | null;
  readonly shape: number[];
  readonly dtype: tf.DataType;
  refCount: number;
}

/** tfjs's `BackendWasm`, as far as it is used here. */
export interface WasmBackend extends tf.KernelBackend {
  readonly wasm: EmscriptenModule;
  readonly dataIdMap: { get(dataId: object): HeapData; has(dataId: object): boolean };
  makeOutput(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo;
  /** Ours: which kernels compute, as far as it decides about the last bits; checkpoints note it. */
  variant?: string;
  /** Threads that compute, for those who estimate energy. */
  threads?: number;
}

/** A running backend. */
export interface Attached {
  readonly backend: WasmBackend;
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  /** Why the memory is or is not shared, in one sentence. */
  readonly reason: string;
}

/** The memory of a running backend, whichever build it is. */
export function memoryOf(backend: WasmBackend): WebAssembly.Memory {
  const memory = backend.wasm.asm?.memory ?? backend.wasm.wasmMemory;
  if (memory === undefined) {
    throw new WasmUnavailableError(
      "tfjs's wasm module does not show its memory; @tensorflow/tfjs-backend-wasm ^4.22 does.",
    );
  }
  return memory;
}

function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer === 'function' && memory.buffer instanceof SharedArrayBuffer;
}

/** Whether memory can be shared with workers, and why (not). */
export function sharingAllowed(): { allowed: boolean; reason: string } {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  if (isolated === false) {
    const headers = "'Cross-Origin-Opener-Policy: same-origin' and 'Cross-Origin-Embedder-Policy: require-corp'";
    return { allowed: false, reason: `the page is not cross-origin isolated (serve it with ${headers})` };
  }
  if (typeof SharedArrayBuffer !== 'function') return { allowed: false, reason: 'there is no SharedArrayBuffer here' };
  return { allowed: true, reason: 'memory can be shared with workers' };
}

function running(): WasmBackend | undefined {
  return tf.engine().registry['wasm'] as WasmBackend | undefined;
}

/** Makes a wasm backend tfjs's current one: the running one if there is one, else a new one, shared where that is possible. */
export async function startBackend(): Promise<Attached> {
  await import('@tensorflow/tfjs-backend-wasm');
  const sharing = sharingAllowed();
  const existing = running();
  if (existing !== undefined) {
    const shared = isShared(memoryOf(existing));
    if (shared || !sharing.allowed || existing.numDataIds() > 0) {
      await setBackend();
      const late = 'a backend with tensors was running already, and its memory is not shared';
      return attach(existing, shared ? 'its memory was shared before' : sharing.allowed ? late : sharing.reason);
    }
    // Nothing lives on it yet: start over with shared memory.
    const factory = tf.findBackendFactory('wasm');
    tf.removeBackend('wasm');
    tf.registerBackend('wasm', factory, 2);
  }
  const listeners = processListeners();
  const problem = sharing.allowed ? await withSharedMemory(setBackend) : await setBackend();
  listeners.removeNew();
  const reason = sharing.allowed ? (problem ?? sharing.reason) : sharing.reason;
  return attach(running()!, reason);
}

function attach(backend: WasmBackend, reason: string): Attached {
  const memory = memoryOf(backend);
  return { backend, memory, shared: isShared(memory), reason };
}

async function setBackend(): Promise<undefined> {
  if (!(await tf.setBackend('wasm'))) {
    throw new WasmUnavailableError(
      "tfjs's wasm backend did not start. In a bundle, call setWasmPaths() of @tensorflow/tfjs-backend-wasm first; its three .wasm files must be served.",
    );
  }
}

type Instantiate = typeof WebAssembly.instantiate;

/** Runs `start` with tfjs's binary patched on its way to the engine; returns what was in the way, if anything. */
async function withSharedMemory(start: () => Promise<void>): Promise<string | undefined> {
  const { instantiate, instantiateStreaming } = WebAssembly;
  let problem: string | undefined = "tfjs's binary was not seen while it started";
  const patched = (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports): unknown => {
    if (source instanceof WebAssembly.Module) return instantiate(source, imports);
    const bytes = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    if (!isTfjsBinary(bytes)) return instantiate(source, imports);
    try {
      const shared = shareMemory(bytes);
      problem = undefined;
      return instantiate(shared, imports);
    } catch (error) {
      if (!(error instanceof UnexpectedBinary)) throw error;
      problem = `tfjs's binary could not be shared (${error.message})`;
      return instantiate(source, imports);
    }
  };
  // The unthreaded build is the one whose memory is its own; in Node it is the default.
  const threaded = (await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')) as boolean;
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  WebAssembly.instantiate = patched as Instantiate;
  WebAssembly.instantiateStreaming = async (response, imports) =>
    WebAssembly.instantiate(await (await response).arrayBuffer(), imports);
  try {
    await start();
    return problem;
  } finally {
    WebAssembly.instantiate = instantiate;
    WebAssembly.instantiateStreaming = instantiateStreaming;
    tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', threaded);
  }
}

/** Emscripten leaves two process-wide listeners that rethrow; a library must not. */
function processListeners(): { removeNew(): void } {
  const process = globalThis.process as NodeJS.Process | undefined;
  const names = ['uncaughtException', 'unhandledRejection'] as const;
  if (typeof process?.listeners !== 'function') return { removeNew: () => {} };
  const before = names.map((name) => new Set<unknown>(process.listeners(name as 'exit')));
  return {
    removeNew() {
      for (const [i, name] of names.entries()) {
        for (const listener of process.listeners(name as 'exit')) {
          if (!before[i]!.has(listener)) process.removeListener(name, listener);
        }
      }
    },
  };
}
