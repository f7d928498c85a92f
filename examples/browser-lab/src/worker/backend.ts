import { type BackendProvider, cpu, type Started, useBackend } from '@frugal/tensor';
import type { Config } from '../config.ts';
import { atHome } from './home.ts';

/** Loaded when it is wanted: a page on wasm never fetches WebGPU's kernels. */
async function wasmProvider(): Promise<BackendProvider> {
  const [{ wasm }, { setWasmPaths }] = await Promise.all([
    import('@frugal/wasm'),
    import('@tensorflow/tfjs-backend-wasm'),
  ]);
  setWasmPaths(atHome('wasm/'));
  return wasm();
}

async function webgpuProvider(adapter: 'hardware' | 'any'): Promise<BackendProvider> {
  const { webgpu } = await import('@frugal/webgpu');
  return webgpu({ adapter });
}

/** Whether it is worth loading WebGPU's kernels: a real adapter is there. */
async function hasGpu(): Promise<boolean> {
  const adapter = await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  return adapter != null && adapter.info.isFallbackAdapter !== true;
}

/** Starts what the page asks for; `auto` takes a real GPU, else wasm, else plain JavaScript. */
export async function startBackend(name: Config['backend']): Promise<Started> {
  if (name === 'cpu') return useBackend(cpu());
  if (name === 'wasm') return useBackend([await wasmProvider(), cpu()]);
  if (name === 'webgpu') return useBackend([await webgpuProvider('any'), await wasmProvider()]);
  if (await hasGpu()) return useBackend([await webgpuProvider('hardware'), await wasmProvider(), cpu()]);
  const started = await useBackend([await wasmProvider(), cpu()]);
  const why = globalThis.navigator?.gpu === undefined ? 'the browser has no WebGPU here' : 'there is no GPU adapter';
  return { ...started, reason: `${started.reason} WebGPU was passed over: ${why}.` };
}
