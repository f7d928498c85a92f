export { DeviceLostError, GpuError, SyncReadError, WebGpuUnavailableError } from './errors.ts';
export { type WebGpuOptions, webgpu } from './provider.ts';
export type { AdapterKind } from './start/adapter.ts';
