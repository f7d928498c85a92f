import type { BackendProvider, Report, Started } from '@frugal/tensor';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { WebGpuUnavailableError } from './errors.ts';
import { type AdapterKind, describeAdapter, type Found, findAdapter } from './start/adapter.ts';
import { runningBackend, startBackend, use } from './start/backend.ts';

/** What is asked of WebGPU. */
export interface WebGpuOptions {
  /**
   * `'hardware'` (the default) takes real GPUs only; `'software'` a driver that emulates one on the CPU, for tests;
   * `'any'` a real one where there is one.
   */
  readonly adapter?: AdapterKind;
  /** Default `'high-performance'`. */
  readonly powerPreference?: GPUPowerPreference;
  /**
   * Node on Linux: a folder with a Vulkan loader (`libvulkan.so.1`) and the manifest of a driver (`*icd.json`), used where
   * the system has none.
   */
  readonly vulkan?: string;
}

function details(adapter: GPUAdapter, software: boolean): Started['details'] {
  const { vendor, architecture, device, description } = adapter.info;
  return {
    adapter: describeAdapter(adapter),
    vendor,
    architecture,
    device,
    driver: description,
    software,
    precision: 'float32',
    subgroups: adapter.features.has('subgroups'),
    maxBufferBytes: adapter.limits.maxBufferSize,
  };
}

/**
 * TensorFlow.js on WebGPU, in a page, in a worker, or in Node (with the package `webgpu`): `await useBackend(webgpu())`.
 *
 * The device has the adapter's limits, errors become typed ones, tfjs's wrong kernels are repaired, and the kernels of
 * `@frugal/tensor` run on the device. A backend that tfjs started itself is taken over with its tensors; after a lost
 * device, starting again makes a new one.
 */
export function webgpu(options: WebGpuOptions = {}): BackendProvider {
  const { adapter: kind = 'hardware', powerPreference = 'high-performance', vulkan } = options;
  const find = (): Promise<Found> => findAdapter(kind, powerPreference, vulkan);
  let last: Started | undefined;
  let backend: WebGPUBackend | undefined;
  return {
    name: 'webgpu',
    async describe(): Promise<Report> {
      const found = await find();
      if (found.gpu === undefined) {
        const { reason, fix, software } = found;
        return { name: 'webgpu', available: false, reason, fix, details: software ? { software } : {} };
      }
      const { adapter, software } = found;
      const reason = `WebGPU runs here on ${describeAdapter(adapter)}${software ? ', emulated on the CPU' : ''}.`;
      return { name: 'webgpu', available: true, reason, details: details(adapter, software) };
    },
    async start(): Promise<Started> {
      const running = runningBackend();
      if (running !== undefined && running === backend) {
        await use(running, last!.details['software'] === true);
        return last!;
      }
      const found = await find();
      if (found.gpu === undefined) throw new WebGpuUnavailableError(`${found.reason} ${found.fix}`);
      const { adapter, software } = found;
      backend = running === undefined ? await startBackend(found.gpu, adapter, software) : await use(running, software);
      const reason = `WebGPU runs here on ${describeAdapter(adapter)}${software ? ', emulated on the CPU' : ''} (float32).`;
      last = { name: 'webgpu', reason, details: details(adapter, software) };
      return last;
    },
  };
}
