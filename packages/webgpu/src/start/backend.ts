import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { publish } from '#gpu';
import { WebGpuUnavailableError } from '../errors.ts';
import { markEmulated } from '../kernels/emulated.ts';
import { registerKernels } from '../kernels/index.ts';
import { guard, isLost } from './guard.ts';

/** Higher than every limit that tfjs raises: our kernels bind more buffers. */
const LIMITS = [
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
] as const satisfies readonly (keyof GPUSupportedLimits)[];

const FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'bgra8unorm-storage'];

/** A device with the adapter's limits. */
export async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name] as number]));
  const requiredFeatures = FEATURES.filter((name) => adapter.features.has(name));
  return adapter.requestDevice({ requiredFeatures, requiredLimits });
}

/** The backend that tfjs has under the name, if it was started and lives. */
export function runningBackend(): WebGPUBackend | undefined {
  const backend = tf.findBackend('webgpu') as WebGPUBackend | null;
  return backend !== null && !isLost(backend) ? backend : undefined;
}

/** Registers a backend on a device of this adapter in place of any other, guards it and makes it the current one. */
export async function startBackend(gpu: GPU, adapter: GPUAdapter, emulated: boolean): Promise<WebGPUBackend> {
  publish(gpu);
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const device = await requestDevice(adapter);
  if (tf.findBackendFactory('webgpu') !== null) tf.removeBackend('webgpu');
  const backend = new WebGPUBackend(device, adapter.info);
  tf.registerBackend('webgpu', () => backend, 3);
  return use(backend, emulated);
}

/** Makes a backend ours: guarded, with our kernels, and the current one. */
export async function use(backend: WebGPUBackend, emulated: boolean): Promise<WebGPUBackend> {
  guard(backend);
  if (emulated) markEmulated(backend.device);
  registerKernels(emulated);
  if (!(await tf.setBackend('webgpu'))) throw new WebGpuUnavailableError("tfjs's webgpu backend does not start.");
  return backend;
}
