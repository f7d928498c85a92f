import * as tf from '@tensorflow/tfjs-core';
import { WasmUnavailableError } from './errors.ts';
import { registrations } from './kernels/index.ts';
import { register } from './kernels/over.ts';
import { guardHeap } from './runtime/heap.ts';
import { Runtime } from './runtime/runtime.ts';
import { availableCpus } from './runtime/worker.ts';
import { startBackend, type WasmBackend } from './start/backend.ts';
import { hasRelaxedSimd, hasSimd, loadKernels } from './start/variant.ts';

/** How the kernels run. */
export interface TrainableOptions {
  /**
   * Threads in all. `'auto'` (the default): one per CPU, at most 8, started at the first large kernels. A number starts
   * them at once. 1 where memory cannot be shared: in a page that is not cross-origin isolated, or on a backend that
   * had tensors before.
   */
  readonly threads?: number | 'auto';
  /**
   * Fused multiply-add (relaxed SIMD), one instruction for two; results differ from plain SIMD in the last bits.
   * `'auto'` (the default): where the engine has it.
   */
  readonly relaxed?: boolean | 'auto';
}

/** What was chosen, and why. */
export interface TrainableReport {
  readonly threads: number;
  readonly threadsReason: string;
  readonly relaxed: boolean;
  readonly relaxedReason: string;
  /** Whether tfjs's heap is shared memory. */
  readonly sharedHeap: boolean;
  /** Kernels of ours that are registered. */
  readonly kernels: number;
}

const MOST_THREADS = 8;

interface Active {
  readonly key: string;
  readonly runtime: Runtime;
  readonly report: TrainableReport;
  undo(): void;
}

let active: Active | undefined;
let pending: Promise<unknown> = Promise.resolve();

/**
 * Makes tfjs's wasm backend one that trains: starts it, or patches the one that runs, and makes it the current one.
 *
 * Called again with other options it changes to them; with the same ones it does nothing. `restore` undoes it.
 *
 * @returns What was chosen and why.
 * @throws {WasmUnavailableError} If the backend does not start, SIMD is missing, or `relaxed: true` is not to be had.
 * @throws {RangeError} If `threads` is no whole number ≥ 1.
 */
export function trainable(options: TrainableOptions = {}): Promise<TrainableReport> {
  const next = pending.then(() => start(options));
  pending = next.catch(() => undefined);
  return next;
}

async function start({ threads = 'auto', relaxed = 'auto' }: TrainableOptions): Promise<TrainableReport> {
  if (threads !== 'auto' && !(Number.isInteger(threads) && threads >= 1)) {
    throw new RangeError(`trainable: threads must be 'auto' or a whole number from 1, got ${threads}.`);
  }
  if (!hasSimd())
    throw new WasmUnavailableError(
      'This engine has no WebAssembly SIMD, which the kernels need; use the cpu or webgl backend.',
    );
  const [useRelaxed, relaxedReason] = chooseVariant(relaxed);
  const key = `${threads} ${useRelaxed}`;
  const running = tf.engine().registry['wasm'] as WasmBackend | undefined;
  if (
    active !== undefined &&
    active.key === key &&
    active.runtime.backend === running &&
    active.runtime.pool?.broken === undefined
  ) {
    await tf.setBackend('wasm');
    return active.report;
  }
  restore();
  const { backend, memory, shared, reason } = await startBackend();
  const [count, threadsReason] = chooseThreads(threads, shared, reason);
  const module = await loadKernels(useRelaxed, shared);
  const unguard = guardHeap(backend.wasm, memory);
  const runtime = new Runtime({ backend, memory, module, threads: count, eager: threads !== 'auto' });
  if (threads !== 'auto') await runtime.pool?.whenReady();
  const unregister = register(registrations, runtime);
  backend.variant = useRelaxed ? 'relaxed-simd' : 'simd';
  backend.threads = runtime.threads;
  const report: TrainableReport = {
    ...{ threads: count, threadsReason, relaxed: useRelaxed, relaxedReason },
    ...{ sharedHeap: shared, kernels: registrations.length },
  };
  active = {
    ...{ key, runtime, report },
    undo() {
      unregister();
      runtime.dispose();
      unguard();
      delete backend.variant;
      delete backend.threads;
    },
  };
  return report;
}

/** Puts tfjs's own kernels back and stops the workers. Tensors and the backend stay. Does nothing where nothing was patched. */
export function restore(): void {
  active?.undo();
  active = undefined;
}

/** The runtime in use; for tests. */
export function currentRuntime(): Runtime | undefined {
  return active?.runtime;
}

function chooseVariant(relaxed: boolean | 'auto'): [boolean, string] {
  if (relaxed === false) return [false, 'plain SIMD was asked for'];
  if (hasRelaxedSimd()) return [true, 'the engine has fused multiply-add (relaxed SIMD)'];
  if (relaxed === true) {
    throw new WasmUnavailableError(
      "This engine has no relaxed SIMD (Node 20.16, Chrome 114 have it). Leave 'relaxed' at 'auto'.",
    );
  }
  return [false, 'the engine has no relaxed SIMD'];
}

function chooseThreads(threads: number | 'auto', shared: boolean, reason: string): [number, string] {
  if (threads === 1) return [1, 'one thread was asked for'];
  if (!shared) return [1, reason];
  if (threads !== 'auto') return [threads, `${threads} threads were asked for`];
  const cpus = availableCpus();
  const count = Math.min(cpus, MOST_THREADS);
  return [
    count,
    count === 1 ? 'there is one CPU' : `there are ${cpus} CPUs; workers start with the first large kernels`,
  ];
}
