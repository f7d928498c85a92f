import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { System } from './system.ts';

/**
 * Python's packages with the CUDA libraries that TensorFlow 2.15 to 2.21 load, as `tensorflow[and-cuda]` asks for them.
 * TensorFlow's libraries look for them in `../nvidia/…` themselves (RUNPATH), so no LD_LIBRARY_PATH is needed.
 */
export const CUDA_PACKAGES: readonly string[] = [
  'nvidia-cublas-cu12>=12.5,<13',
  'nvidia-cuda-cupti-cu12>=12.5,<13',
  'nvidia-cuda-nvcc-cu12>=12.5,<13',
  'nvidia-cuda-nvrtc-cu12>=12.5,<13',
  'nvidia-cuda-runtime-cu12>=12.5,<13',
  'nvidia-cudnn-cu12>=9.3.0.75,<10',
  'nvidia-cufft-cu12>=11.2.3.61,<12',
  'nvidia-curand-cu12>=10.3.6.82,<11',
  'nvidia-cusolver-cu12>=11.6.3.83,<12',
  'nvidia-cusparse-cu12>=12.5,<13',
  'nvidia-nccl-cu12>=2.21.5,<3',
  'nvidia-nvjitlink-cu12>=12.5,<13',
];

/** Libraries that TensorFlow opens when it looks for a GPU, and what brings each. */
const NEEDED: Readonly<Record<string, string>> = {
  'libcuda.so.1': 'the NVIDIA driver',
  'libcudart.so.12': 'nvidia-cuda-runtime-cu12',
  'libcublas.so.12': 'nvidia-cublas-cu12',
  'libcublasLt.so.12': 'nvidia-cublas-cu12',
  'libcufft.so.11': 'nvidia-cufft-cu12',
  'libcusolver.so.11': 'nvidia-cusolver-cu12',
  'libcusparse.so.12': 'nvidia-cusparse-cu12',
  'libcudnn.so.9': 'nvidia-cudnn-cu12',
};

/** Why the GPU is not used. */
export interface GpuDiagnosis {
  /** Libraries that cannot be opened, with what brings them. */
  readonly missing: readonly { readonly library: string; readonly from: string }[];
  /** In a sentence. */
  readonly reason: string;
  readonly fix: string;
}

/** Where RUNPATH finds a library; its bare name, for the system's loader, if nowhere. */
function locate(folder: string, library: string): string {
  const nvidia = join(folder, 'nvidia');
  for (const name of existsSync(nvidia) ? readdirSync(nvidia) : []) {
    const path = join(nvidia, name, 'lib', library);
    if (existsSync(path)) return path;
  }
  return library;
}

// A library that opens is no addon of Node's, which says so; one that does not names what is missing.
const ASK = `
const { dlopen } = require('node:os').constants;
const failed = JSON.parse(process.argv[1]).filter((file) => {
  try { process.dlopen({ exports: {} }, file, dlopen.RTLD_LAZY); return false; }
  catch (error) { return !/did not self-register/.test(error.message); }
});
process.stdout.write(JSON.stringify(failed));
`;

/** Tries each library in a process of its own, as some do not survive being opened. */
export async function diagnoseGpu(system: System, folder: string): Promise<GpuDiagnosis> {
  const missing: { library: string; from: string }[] = [];
  const paths = new Map(Object.keys(NEEDED).map((library) => [locate(folder, library), library]));
  const all = await system.run(process.execPath, ['-e', ASK, JSON.stringify([...paths.keys()])]);
  const failed =
    all.code === 0 ? (JSON.parse(all.stdout || '[]') as string[]) : await failedOneByOne(system, [...paths.keys()]);
  for (const path of failed) {
    const library = paths.get(path)!;
    missing.push({ library, from: NEEDED[library]! });
  }
  return { missing, ...explain(missing) };
}

async function failedOneByOne(system: System, paths: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const path of paths) {
    const { code, stdout } = await system.run(process.execPath, ['-e', ASK, JSON.stringify([path])]);
    if (code !== 0 || stdout !== '[]') failed.push(path);
  }
  return failed;
}

function explain(missing: GpuDiagnosis['missing']): { reason: string; fix: string } {
  if (missing.length === 0) {
    return {
      reason: 'The NVIDIA driver and all CUDA libraries are there, but TensorFlow found no device that it can use.',
      fix: "See whether 'nvidia-smi' lists the card, CUDA_VISIBLE_DEVICES does not hide it, and the driver is 525 or newer (CUDA 12).",
    };
  }
  const driver = missing.some(({ library }) => library === 'libcuda.so.1');
  const libraries = missing.filter(({ library }) => library !== 'libcuda.so.1');
  const list = missing.map(({ library, from }) => `${library} (${from})`).join(', ');
  const fixes = [
    ...(driver
      ? ["Install the NVIDIA driver, in a container start it with '--gpus all'; 'nvidia-smi' must list the card."]
      : []),
    ...(libraries.length > 0 ? ["Run 'npx @frugal/libtensorflow --gpu' again: it fetches the CUDA libraries."] : []),
  ];
  return { reason: `Missing: ${list}.`, fix: fixes.join(' ') };
}
