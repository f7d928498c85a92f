import { FrugalError } from '@frugal/tensor';

/** tfjs's wasm heap cannot hold another tensor; nothing was changed. `requested` and `heap` are bytes. */
export class HeapFullError extends FrugalError {
  readonly requested: number;
  readonly heap: number;

  constructor(requested: number, heap: number) {
    const mib = (n: number): string => `${(n / 2 ** 20).toFixed(n < 2 ** 20 ? 3 : 0)} MiB`;
    super(
      'HEAP_FULL',
      `tfjs's wasm heap (${mib(heap)} of at most 4 GiB) has no room for ${mib(requested)}. ` +
        'Dispose tensors that are not needed (tf.tidy, tf.dispose) or use smaller batches.',
    );
    this.requested = requested;
    this.heap = heap;
  }
}

/** A worker of the thread pool failed while it computed; the outputs of that call are lost, the pool is off since. */
export class WorkerCrashError extends FrugalError {
  constructor(what: string, options?: ErrorOptions) {
    super(
      'WORKER_CRASHED',
      `${what} The result of this call is lost; everything after it runs on one thread. Call trainable() again for new workers.`,
      options,
    );
  }
}

/** The backend cannot be started or patched here. */
export class WasmUnavailableError extends FrugalError {
  constructor(message: string, options?: ErrorOptions) {
    super('WASM_UNAVAILABLE', message, options);
  }
}
