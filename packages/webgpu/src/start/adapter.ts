import { absent, type Instance, instances, noAdapter } from '#gpu';

/** Which adapters are taken: real GPUs, emulated ones (a CPU driver such as SwiftShader), or a real one before an emulated one. */
export type AdapterKind = 'hardware' | 'software' | 'any';

/** An adapter and where it came from, or why there is none. */
export type Found =
  | { readonly gpu: GPU; readonly adapter: GPUAdapter; readonly software: boolean }
  | { readonly gpu?: undefined; readonly reason: string; readonly fix: string; readonly software: boolean };

/** Whether an adapter calculates on the CPU. */
export function isSoftware(adapter: GPUAdapter): boolean {
  const { info } = adapter;
  return (
    info.isFallbackAdapter === true ||
    /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${info.architecture} ${info.device} ${info.description}`)
  );
}

/** Name of the device for people, from whatever the driver tells. */
export function describeAdapter({ info }: GPUAdapter): string {
  return (
    [info.description, info.device, `${info.vendor} ${info.architecture}`].find((text) => text.trim() !== '')?.trim() ??
    'unknown'
  );
}

async function ask(
  instance: Instance,
  power: GPUPowerPreference,
): Promise<{ gpu: GPU; adapters: GPUAdapter[] } | undefined> {
  const gpu = await instance();
  if (gpu === undefined) return undefined;
  const adapters = [
    await gpu.requestAdapter({ powerPreference: power }),
    await gpu.requestAdapter({ forceFallbackAdapter: true }).catch(() => null),
  ];
  return { gpu, adapters: adapters.filter((adapter) => adapter !== null) };
}

/** Finds an adapter of the asked kind; never throws. */
export async function findAdapter(kind: AdapterKind, power: GPUPowerPreference, vulkan?: string): Promise<Found> {
  const all: { gpu: GPU; adapter: GPUAdapter; software: boolean }[] = [];
  const wanted = kind === 'software';
  let any = false;
  for (const instance of instances(vulkan, wanted)) {
    try {
      const answer = await ask(instance, power);
      any ||= answer !== undefined;
      for (const adapter of answer?.adapters ?? [])
        all.push({ gpu: answer!.gpu, adapter, software: isSoftware(adapter) });
    } catch (error) {
      if (!/Cannot find (package|module)/.test((error as Error).message)) {
        return { reason: `WebGPU does not start: ${(error as Error).message}`, fix: noAdapter.fix, software: false };
      }
    }
    const first = all.find(({ software }) => software === wanted);
    if (first !== undefined) return first;
  }
  if (kind === 'any' && all.length > 0) return all[0]!;
  if (!any) return { ...absent, software: false };
  if (all.length === 0) return { ...noAdapter, software: false };
  if (kind === 'software') {
    return {
      reason: 'There is no emulated adapter, only a real GPU.',
      fix: "Use webgpu({ adapter: 'any' }).",
      software: false,
    };
  }
  return {
    reason: `Its only adapter is emulated on the CPU (${describeAdapter(all[0]!.adapter)}), slower than wasm.`,
    fix: "Ask for it with webgpu({ adapter: 'any' }), or install the driver of a GPU.",
    software: true,
  };
}
