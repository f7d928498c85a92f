import { FrugalError } from '@frugal/tensor';

/** WebGPU cannot be started here; the message says why and what to do. */
export class WebGpuUnavailableError extends FrugalError {
  constructor(message: string, options?: ErrorOptions) {
    super('WEBGPU_UNAVAILABLE', message, options);
  }
}

/** The device is gone, and with it every tensor that had not been read. `reason` is WebGPU's: `'destroyed'` or `'unknown'`. */
export class DeviceLostError extends FrugalError {
  readonly reason: string;

  constructor(reason: string, message: string) {
    const why = message === '' ? reason : `${reason}: ${message}`;
    super(
      'DEVICE_LOST',
      `The GPU device was lost (${why}). Start the backend again with useBackend(webgpu()) and go on from the last checkpoint.`,
    );
    this.reason = reason;
  }
}

/**
 * The device refused a command, ran out of memory or failed inside. Results since the last read are not to be trusted.
 *
 * WebGPU reports such errors later than the call that caused them; they are thrown by the next read.
 */
export class GpuError extends FrugalError {
  readonly kind: 'validation' | 'out-of-memory' | 'internal';

  constructor(kind: GpuError['kind'], message: string) {
    const advice =
      kind === 'out-of-memory'
        ? 'Dispose tensors that are not needed (tf.tidy, tf.dispose) or use smaller batches.'
        : 'Nothing that was computed since the last read can be trusted.';
    super('GPU_ERROR', `The GPU reports an error (${kind}): ${message} ${advice}`);
    this.kind = kind;
  }
}

/** A tensor on the GPU was read synchronously, which WebGPU cannot do. */
export class SyncReadError extends FrugalError {
  constructor() {
    super(
      'SYNC_READ',
      'A tensor on WebGPU cannot be read synchronously (dataSync, arraySync, print, or moving it to another backend). Await tensor.data() first.',
    );
  }
}
