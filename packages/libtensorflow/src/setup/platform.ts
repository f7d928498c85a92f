import { LibtensorflowError } from '../errors.ts';

/** What decides whether TensorFlow's wheels run on a machine. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
  /** Version of the GNU C library, undefined where there is another one (musl). */
  readonly glibc: string | undefined;
}

/** Where TensorFlow comes from and what it is called on a machine. */
export interface Target {
  /** Python package that holds the libraries. */
  readonly package: 'tensorflow' | 'tensorflow-cpu';
  readonly version: string;
  readonly gpu: boolean;
  /** Platform tags that pip may take; it matches only what is named, and versions differ in theirs. */
  readonly tags: readonly string[];
}

/** The TensorFlow that is set up if none is asked for. */
export const DEFAULT_VERSION = '2.21.0';

/** glibc that the libraries of a version need. */
const glibcOf = (version: string): string => (compareVersions(version, '2.21') >= 0 ? '2.27' : '2.17');

/** Names of both libraries in the wheel and in the cache. */
export const LIBRARIES: readonly string[] = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** This machine. */
export function thisMachine(): Machine {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return { platform: process.platform, arch: process.arch, glibc: header.glibcVersionRuntime };
}

/** Orders versions by their numbers: negative if `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (x![i] ?? 0) - (y![i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * What to fetch for a machine.
 *
 * @throws {LibtensorflowError} `UNSUPPORTED_PLATFORM` where TensorFlow has no wheel that works with it, or `BAD_ARGUMENT`.
 */
export function chooseTarget({ platform, arch, glibc }: Machine, version: string, gpu: boolean): Target {
  if (!/^\d+\.\d+\.\d+$/.test(version) || compareVersions(version, '2.15.0') < 0) {
    throw new LibtensorflowError(
      'BAD_ARGUMENT',
      `TensorFlow '${version}' was asked for.`,
      `Give a release from 2.15.0 on, such as --tf ${DEFAULT_VERSION}.`,
    );
  }
  const elsewhere = 'Use @frugal/wasm here; it runs everywhere.';
  const machine = arch === 'x64' ? 'x86_64' : arch === 'arm64' ? 'aarch64' : undefined;
  if (platform !== 'linux' || machine === undefined) {
    throw new LibtensorflowError(
      'UNSUPPORTED_PLATFORM',
      `This set-up knows Linux on x64 and arm64, this is ${platform} on ${arch}.`,
      platform === 'linux' ? elsewhere : `Run it in a Linux container or WSL 2. ${elsewhere}`,
    );
  }
  if (glibc === undefined) {
    throw new LibtensorflowError(
      'UNSUPPORTED_PLATFORM',
      'TensorFlow needs the GNU C library, and this system has another one (Alpine: musl).',
      `Use an image with glibc, such as node:22-bookworm-slim. ${elsewhere}`,
    );
  }
  if (compareVersions(glibc, glibcOf(version)) < 0) {
    throw new LibtensorflowError(
      'UNSUPPORTED_PLATFORM',
      `TensorFlow ${version} needs glibc ${glibcOf(version)}, this system has ${glibc}.`,
      'Ask for an older one (--tf 2.20.0), or use a newer system.',
    );
  }
  if (gpu && arch !== 'x64') {
    throw new LibtensorflowError(
      'UNSUPPORTED_PLATFORM',
      "PyPI's TensorFlow computes on GPUs only on x64.",
      'Leave --gpu out.',
    );
  }
  return {
    package: gpu || arch === 'arm64' ? 'tensorflow' : 'tensorflow-cpu',
    version,
    gpu,
    tags: ['manylinux_2_17', 'manylinux2014', 'manylinux_2_27', 'manylinux_2_28'].map((tag) => `${tag}_${machine}`),
  };
}
