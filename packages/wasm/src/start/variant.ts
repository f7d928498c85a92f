import { WasmUnavailableError } from '../errors.ts';
import { unshareImport } from './share-memory.ts';

/** (v128, v128, v128) → v128 by f32x4.relaxed_madd */
const RELAXED_PROBE = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0],
  ...[10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 133, 2, 11],
];
/** () → v128 by i8x16.splat */
const SIMD_PROBE = [
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 8, 1, 6, 0, 65, 0, 253, 15, 11],
];

/** Whether the engine knows SIMD. */
export function hasSimd(): boolean {
  return WebAssembly.validate(new Uint8Array(SIMD_PROBE));
}

/** Whether the engine knows relaxed SIMD (fused multiply-add). Node 20 has it behind a flag, which may be set late. */
export function hasRelaxedSimd(): boolean {
  const probe = new Uint8Array(RELAXED_PROBE);
  if (WebAssembly.validate(probe)) return true;
  try {
    const v8 = globalThis.process?.getBuiltinModule?.('node:v8') as
      | { setFlagsFromString(flags: string): void }
      | undefined;
    v8?.setFlagsFromString('--experimental-wasm-relaxed-simd');
  } catch {
    return false;
  }
  return WebAssembly.validate(probe);
}

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** Our kernels for a memory that is shared or not; compiled once, so that code which is warm stays warm. */
export function loadKernels(relaxed: boolean, shared: boolean): Promise<WebAssembly.Module> {
  const key = `${relaxed} ${shared}`;
  const module = compiled.get(key) ?? compile(relaxed, shared);
  compiled.set(key, module);
  module.catch(() => compiled.delete(key));
  return module;
}

async function compile(relaxed: boolean, shared: boolean): Promise<WebAssembly.Module> {
  const { default: text } = relaxed ? await import('../generated/relaxed.ts') : await import('../generated/plain.ts');
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const binary = new Uint8Array(await new Response(stream).arrayBuffer());
  try {
    return await WebAssembly.compile(shared ? binary : unshareImport(binary));
  } catch (cause) {
    throw new WasmUnavailableError("The kernels do not compile here (a CSP needs 'wasm-unsafe-eval').", { cause });
  }
}
