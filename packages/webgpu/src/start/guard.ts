import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { DeviceLostError, GpuError, SyncReadError } from '../errors.ts';

type DataId = object;

/** What is replaced in a backend; `uploadToGPU` and `runWebGPUProgram` are where commands begin. */
interface Guarded {
  tensorMap: { get(id: DataId): { values: unknown; dtype: string } | undefined };
  read(id: DataId): Promise<unknown>;
  readSync(id: DataId): unknown;
  uploadToGPU(id: DataId): void;
}

/** How long a failed read waits to hear whether the device was lost. */
const PATIENCE_MS = 200;

const states = new WeakMap<object, { lost: DeviceLostError | undefined; errors: GpuError[] }>();

/** Whether the device of a guarded backend was lost. */
export function isLost(backend: object): boolean {
  return states.get(backend)?.lost !== undefined;
}

function kindOf(error: GPUError): GpuError['kind'] {
  const name = error.constructor.name;
  if (name === 'GPUOutOfMemoryError') return 'out-of-memory';
  return name === 'GPUInternalError' ? 'internal' : 'validation';
}

/**
 * Makes a backend tell of errors that WebGPU reports behind the caller's back: refused commands throw from the next read,
 * a lost device from every read and upload, a synchronous read at once instead of returning zeros.
 */
export function guard(backend: WebGPUBackend): void {
  if (states.has(backend)) return;
  const state: { lost: DeviceLostError | undefined; errors: GpuError[] } = { lost: undefined, errors: [] };
  states.set(backend, state);
  const { device } = backend;
  const gone = device.lost.then(({ reason, message }) => {
    state.lost = new DeviceLostError(reason, message);
  });
  device.addEventListener('uncapturederror', (event) => {
    // Once it is lost, every command is refused.
    if (state.lost === undefined) state.errors.push(new GpuError(kindOf(event.error), event.error.message));
    event.preventDefault();
  });
  const throwPending = (): void => {
    if (state.lost !== undefined) throw state.lost;
    const [first] = state.errors.splice(0);
    if (first !== undefined) throw first;
  };

  const guarded = backend as unknown as Guarded;
  const { read, readSync, uploadToGPU } = guarded;
  const isOnHost = (id: DataId): boolean => {
    const data = guarded.tensorMap.get(id);
    return data !== undefined && (data.values != null || data.dtype === 'string' || data.dtype === 'complex64');
  };
  guarded.read = async (id) => {
    if (isOnHost(id)) return read.call(backend, id);
    throwPending();
    let values: unknown;
    try {
      values = await read.call(backend, id);
    } catch (error) {
      await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
      throwPending();
      throw error;
    }
    throwPending();
    return values;
  };
  guarded.readSync = (id) => {
    if (isOnHost(id)) return readSync.call(backend, id);
    throw new SyncReadError();
  };
  guarded.uploadToGPU = (id) => {
    if (state.lost !== undefined) throw state.lost;
    uploadToGPU.call(backend, id);
  };
}
