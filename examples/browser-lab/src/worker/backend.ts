import { type BackendProvider, cpu, type Started, useBackend, webgl } from '@frugal/tensor';
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

/** Where nothing better is; fetched only then. */
const webglProvider = (software: boolean): BackendProvider =>
  webgl({ software, load: () => import('@tensorflow/tfjs-backend-webgl') });

/** Whether it is worth loading WebGPU's kernels: a real adapter is there. */
async function hasGpu(): Promise<boolean> {
  const adapter = await globalThis.navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  return adapter != null && adapter.info.isFallbackAdapter !== true;
}

/** Starts what the page asks for; `auto` takes a real GPU by WebGPU, else wasm, else a real GPU by WebGL, else plain JavaScript. */
export async function startBackend(name: Config['backend']): Promise<Started> {
  if (name === 'cpu') return useBackend(cpu());
  if (name === 'wasm') return useBackend([await wasmProvider(), cpu()]);
  if (name === 'webgl') return useBackend([webglProvider(true), await wasmProvider()]);
  if (name === 'webgpu') return useBackend([await webgpuProvider('any'), await wasmProvider()]);
  const rest = [await wasmProvider(), webglProvider(false), cpu()];
  if (await hasGpu()) return useBackend([await webgpuProvider('hardware'), ...rest]);
  const started = await useBackend(rest);
  const why = globalThis.navigator?.gpu === undefined ? 'the browser has no WebGPU here' : 'there is no GPU adapter';
  return { ...started, reason: `${started.reason} WebGPU was passed over: ${why}.` };
}
