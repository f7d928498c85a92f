import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Installation } from '../cache/installation.ts';
import { compareVersions } from './platform.ts';
import type { System } from './system.ts';

/** Where Python's packages put the CUDA libraries, below an installation or `site-packages`. */
export const CUDA_FOLDER = 'nvidia';

/** TensorFlow went over to cuDNN 9 in 2.18; the rest of CUDA 12 keeps its names. */
const hasCudnn9 = (tensorflow: string): boolean => compareVersions(tensorflow, '2.18.0') >= 0;

/**
 * Python's packages with the CUDA libraries that a TensorFlow from 2.15 to 2.21 loads, as `tensorflow[and-cuda]` asks for
 * them. Its libraries look for them in `../nvidia/…` themselves (RUNPATH), so no LD_LIBRARY_PATH is needed.
 */
export function cudaPackages(tensorflow: string): string[] {
  return [
    'nvidia-cublas-cu12>=12.5,<13',
    'nvidia-cuda-cupti-cu12>=12.5,<13',
    'nvidia-cuda-nvcc-cu12>=12.5,<13',
    'nvidia-cuda-nvrtc-cu12>=12.5,<13',
    'nvidia-cuda-runtime-cu12>=12.5,<13',
    hasCudnn9(tensorflow) ? 'nvidia-cudnn-cu12>=9.3.0.75,<10' : 'nvidia-cudnn-cu12>=8.9.4.25,<9',
    'nvidia-cufft-cu12>=11.2.3.61,<12',
    'nvidia-curand-cu12>=10.3.6.82,<11',
    'nvidia-cusolver-cu12>=11.6.3.83,<12',
    'nvidia-cusparse-cu12>=12.5,<13',
    'nvidia-nccl-cu12>=2.21.5,<3',
    'nvidia-nvjitlink-cu12>=12.5,<13',
  ];
}

const DRIVER = 'libcuda.so.1';

/**
 * Libraries without which TensorFlow passes a GPU over, and what brings each. What it opens later and for several cards
 * (NCCL, NVSHMEM), for profiles (CUPTI) and for TensorRT is not among them.
 */
const needed = (tensorflow: string): Readonly<Record<string, string>> => ({
  [DRIVER]: 'the NVIDIA driver',
  'libcudart.so.12': 'nvidia-cuda-runtime-cu12',
  'libcublas.so.12': 'nvidia-cublas-cu12',
  'libcublasLt.so.12': 'nvidia-cublas-cu12',
  'libcufft.so.11': 'nvidia-cufft-cu12',
  'libcusolver.so.11': 'nvidia-cusolver-cu12',
  'libcusparse.so.12': 'nvidia-cusparse-cu12',
  [`libcudnn.so.${hasCudnn9(tensorflow) ? 9 : 8}`]: 'nvidia-cudnn-cu12',
});

/** A library that cannot be opened, and what brings it. */
interface Missing {
  readonly library: string;
  readonly from: string;
}

/** Why the GPU is not used. */
export interface GpuDiagnosis {
  readonly missing: readonly Missing[];
  /** In a sentence. */
  readonly reason: string;
  readonly fix: string;
}

/** Where RUNPATH finds a library; its bare name, for the system's loader, if nowhere. */
function locate(folder: string, library: string): string {
  const nvidia = join(folder, CUDA_FOLDER);
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

/** Where a TensorFlow stands, or will, and which one it is. */
type Place = Pick<Installation, 'folder' | 'tensorflow'>;

/** Tries each library in a process of its own, as some do not survive being opened. */
async function missingLibraries(system: System, { folder, tensorflow }: Place): Promise<Missing[]> {
  const sources = needed(tensorflow);
  const libraries = new Map(Object.keys(sources).map((library) => [locate(folder, library), library]));
  const paths = [...libraries.keys()];
  const all = await system.run(process.execPath, ['-e', ASK, JSON.stringify(paths)]);
  const failed = all.code === 0 ? (JSON.parse(all.stdout || '[]') as string[]) : await failedOneByOne(system, paths);
  return failed.map((path) => {
    const library = libraries.get(path)!;
    return { library, from: sources[library]! };
  });
}

/** The CUDA libraries that an installation lacks; the driver, which no package brings, is not among them. */
export async function missingCuda(system: System, place: Place): Promise<Missing[]> {
  return (await missingLibraries(system, place)).filter(({ library }) => library !== DRIVER);
}

/** Says why a GPU build computes on the CPU, and what to do about it. */
export async function diagnoseGpu(system: System, place: Place): Promise<GpuDiagnosis> {
  const missing = await missingLibraries(system, place);
  return { missing, ...explain(missing, place.tensorflow) };
}

async function failedOneByOne(system: System, paths: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const path of paths) {
    const { code, stdout } = await system.run(process.execPath, ['-e', ASK, JSON.stringify([path])]);
    if (code !== 0 || stdout !== '[]') failed.push(path);
  }
  return failed;
}

function explain(missing: readonly Missing[], version: string): { reason: string; fix: string } {
  if (missing.length === 0) {
    return {
      reason: 'The NVIDIA driver and all CUDA libraries are there, but TensorFlow found no device that it can use.',
      fix: "See whether 'nvidia-smi' lists the card, CUDA_VISIBLE_DEVICES does not hide it, and the driver is 525 or newer (CUDA 12).",
    };
  }
  const driver = missing.some(({ library }) => library === DRIVER);
  const libraries = missing.filter(({ library }) => library !== DRIVER);
  const list = missing.map(({ library, from }) => `${library} (${from})`).join(', ');
  const fixes = [
    ...(driver
      ? ["Install the NVIDIA driver, in a container start it with '--gpus all'; 'nvidia-smi' must list the card."]
      : []),
    ...(libraries.length > 0
      ? [`Run 'npx @frugal/libtensorflow --gpu --tf ${version}' again: it fetches the CUDA libraries.`]
      : []),
  ];
  return { reason: `Missing: ${list}.`, fix: fixes.join(' ') };
}
