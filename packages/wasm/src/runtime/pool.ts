import { WorkerCrashError } from '../errors.ts';
import { mayBlock, startWorker, type WorkerHandle } from './worker.ts';

/** What assembly/index exports. */
export interface KernelExports {
  alone(control: number, op: number, chunks: number): void;
  dispatch(control: number, op: number, chunks: number, workers: number): number;
  finish(control: number, taken: number, spins: number, milliseconds: number): number;
  gemmScratch(): number;
  gemvScratch(): number;
  tangentScratch(): number;
}

export interface PoolOptions {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly exports: KernelExports;
  /** Address of the control block. */
  readonly control: number;
  /** Threads in all, the calling one included. */
  readonly threads: number;
}

const READY = 128;
const CRASHED = 132;
/** A chunk takes milliseconds; without any progress for this long a worker is lost. */
const PATIENCE = 60_000;

/**
 * Workers over the shared heap. They sleep in wasm and hear no messages; all control is in the control block.
 *
 * Chunks are claimed, not dealt out: a worker that the system holds up takes fewer, and nobody waits for it.
 */
export class Pool {
  readonly #options: PoolOptions;
  readonly #workers: WorkerHandle[] = [];
  readonly #blocking: boolean = mayBlock();
  #broken: string | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get threads(): number {
    return this.#options.threads;
  }

  /** Why the pool is off, if it is. */
  get broken(): string | undefined {
    return this.#broken;
  }

  #word(offset: number): number {
    return Atomics.load(new Int32Array(this.#options.memory.buffer), (this.#options.control + offset) >>> 2);
  }

  /** Workers that are awake enough to take chunks. */
  get ready(): number {
    return this.#broken !== undefined || this.#workers.length === 0 ? 0 : this.#word(READY);
  }

  get started(): boolean {
    return this.#workers.length > 0;
  }

  start(): void {
    if (this.started || this.#broken !== undefined) return;
    const { module, memory, control, threads } = this.#options;
    for (let thread = 1; thread < threads; thread++) {
      this.#workers.push(startWorker({ module, memory, control, thread }, (reason) => this.#break(reason)));
    }
  }

  /** Resolves when all workers are ready, or after `milliseconds`. */
  async whenReady(milliseconds = 5000): Promise<void> {
    const until = performance.now() + milliseconds;
    while (this.#broken === undefined && this.ready < this.threads - 1 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /**
   * Runs an op whose arguments are in place, with the workers that are ready.
   *
   * @throws {WorkerCrashError} If a worker trapped or vanished.
   */
  run(op: number, chunks: number): void {
    const { exports, control } = this.#options;
    const taken = exports.dispatch(control, op, chunks, this.threads - 1);
    if (taken === 0) return;
    const [spins, milliseconds] = this.#blocking ? [0, 1000] : [1 << 16, 0];
    let done = 0;
    let progress = performance.now();
    for (;;) {
      const now = exports.finish(control, taken, spins, milliseconds);
      if (now >= taken) return;
      if (this.#word(CRASHED) > 0) throw this.#crash('A worker trapped.');
      if (now !== done) progress = performance.now();
      else if (performance.now() - progress > PATIENCE) throw this.#crash('A worker gave no sign of life.');
      done = now;
    }
  }

  #crash(what: string): WorkerCrashError {
    this.#break(what);
    return new WorkerCrashError(what);
  }

  #break(reason: string): void {
    this.#broken ??= reason;
    this.stop();
  }

  stop(): void {
    for (const worker of this.#workers.splice(0)) worker.terminate();
  }
}
