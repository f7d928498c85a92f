/** What a worker is started with. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: number;
  readonly thread: number;
}

/** A started worker. */
export interface WorkerHandle {
  terminate(): void;
}

/**
 * The life of a worker as text: it needs no file, in Node (`eval`) as in a page (a Blob).
 *
 * It never returns from `worker`; a trap there is counted where the main thread looks (see assembly/pool.ts).
 */
const BODY = `
function live({ module, memory, control, thread }) {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  try { exports.worker(control, thread); } catch {
    const words = new Int32Array(memory.buffer);
    Atomics.add(words, (control + 132) >>> 2, 1);
    Atomics.notify(words, (control + 64) >>> 2);
  }
}`;

type NodeThreads = {
  Worker: new (
    source: string,
    options: object,
  ) => { unref(): void; on(event: string, listener: (error: Error) => void): void; terminate(): Promise<number> };
};

/** Starts a worker; `failed` hears of one that could not start. It does not keep a Node process alive. */
export function startWorker(start: WorkerStart, failed: (reason: string) => void): WorkerHandle {
  const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads') as NodeThreads | undefined;
  if (threads !== undefined) {
    const source = `${BODY}\nlive(require('node:worker_threads').workerData);`;
    const execArgv = ['--input-type=commonjs'];
    const worker = new threads.Worker(source, { eval: true, execArgv, env: {}, workerData: start });
    worker.on('error', (error) => failed(error.message));
    worker.unref();
    return { terminate: () => void worker.terminate() };
  }
  const source = `${BODY}\nonmessage = ({ data }) => live(data);`;
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url);
  worker.onerror = (event): void => failed(event.message || 'a worker could not start (CSP needs worker-src blob:)');
  worker.postMessage(start);
  URL.revokeObjectURL(url);
  return { terminate: () => worker.terminate() };
}

/** CPUs that this process may use, 1 where unknown. */
export function availableCpus(): number {
  const os = globalThis.process?.getBuiltinModule?.('node:os') as { availableParallelism?: () => number } | undefined;
  return os?.availableParallelism?.() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Whether this thread may sleep in `Atomics.wait`; the main thread of a page may not. */
export function mayBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0);
    return true;
  } catch {
    return false;
  }
}
