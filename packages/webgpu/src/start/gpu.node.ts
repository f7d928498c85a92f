import type { Instance } from './gpu.browser.ts';

export type { Instance } from './gpu.browser.ts';

interface Dawn {
  create(options: string[]): GPU;
  globals: Record<string, unknown>;
}

/** From dlfcn.h on Linux: resolve now, for everybody, and never unload. */
const RTLD_NOW = 0x2;
const RTLD_GLOBAL = 0x100;
const RTLD_NODELETE = 0x1000;

async function dawn(): Promise<GPU> {
  const { create, globals } = (await import('webgpu')) as unknown as Dawn;
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return create([]);
}

/**
 * Makes a Vulkan loader resident: Dawn opens `libvulkan.so.1` by name, and finds the one that is loaded already. Its
 * driver is named by a manifest beside it, unless the environment names one.
 */
async function loadVulkan(folder: string): Promise<void> {
  const { readdir } = process.getBuiltinModule('node:fs/promises');
  const manifest = (await readdir(folder)).find((file) => file.endsWith('icd.json'));
  if (manifest !== undefined) process.env['VK_ADD_DRIVER_FILES'] ??= `${folder}/${manifest}`;
  try {
    const none = { exports: {} };
    process.dlopen(none, `${folder}/libvulkan.so.1`, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    // It is no addon, and Node says so after it was loaded.
    if (!/self-register/.test((error as Error).message)) throw error;
  }
}

let own: GPU | undefined;

/**
 * In Node: what stands in `navigator` already, else Dawn; and Dawn again with a Vulkan loader and driver from a folder,
 * which comes first where an emulated adapter is wanted.
 */
export function instances(vulkan?: string, software = false): Instance[] {
  const system: Instance = async () => {
    const present = globalThis.navigator?.gpu;
    return present !== undefined && present !== own ? present : dawn();
  };
  if (vulkan === undefined) return [system];
  const given: Instance = async () => {
    await loadVulkan(vulkan);
    return dawn();
  };
  return software ? [given, system] : [system, given];
}

export const absent = {
  reason: "The package 'webgpu' (Dawn, WebGPU for Node) is not installed.",
  fix: 'npm install webgpu',
} as const;

export const noAdapter = {
  reason: 'Dawn finds no GPU adapter.',
  fix: 'Install a graphics driver with Vulkan (on Linux also its loader, e.g. apt-get install libvulkan1).',
} as const;

/** tfjs looks for `navigator.gpu` and for WebGPU's global classes. */
export function publish(gpu: GPU): void {
  if (!('navigator' in globalThis)) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
  own = gpu;
}
