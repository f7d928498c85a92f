import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BINDING,
  type Installation,
  MANIFEST,
  type Manifest,
  readInstallation,
  sizesOf,
} from '../cache/installation.ts';
import { removeLeftovers, takeLock, unfinishedName } from '../cache/lock.ts';
import { cacheRoot, installationName } from '../cache/paths.ts';
import { LibtensorflowError } from '../errors.ts';
import { findTfjsNode } from '../load/find-tfjs-node.ts';
import { compileBinding, findCompiler, nativeSum } from './compile.ts';
import { readWheelName } from './extract.ts';
import { fetchCuda, fill, linkFiles } from './fill.ts';
import { missingCuda } from './gpu.ts';
import { chooseTarget, DEFAULT_VERSION, LIBRARIES, type Target } from './platform.ts';
import { type Proof, proveApart } from './prove.ts';
import { findInPython, findPip, type PythonTensorflow } from './python.ts';
import type { System } from './system.ts';

/** What to set up. */
export interface InstallOptions {
  readonly version?: string | undefined;
  readonly gpu: boolean;
  /** A wheel file instead of a download. */
  readonly wheel?: string | undefined;
  /** Takes the TensorFlow that is installed in Python. */
  readonly fromPython: boolean;
  /** Folder of the program, for its tfjs-node. */
  readonly from: string;
  /** What Node has to run so that it answers `--prove`. */
  readonly program: readonly string[];
}

/** Is told what happens. */
export interface Progress {
  step(text: string): void;
  /** Of the current step; `total` undefined where it is not known. */
  bytes(done: number, total?: number): void;
}

/** What was done. */
export interface Installed {
  readonly installation: Installation;
  /** Whether it was there already. */
  readonly already: boolean;
  readonly proof: Proof;
}

const MIB = 2 ** 20;
/** The CUDA libraries (4300 MiB in 2026), and their wheels, which pip holds until all are unpacked. */
const CUDA_BYTES = 7500 * MIB;

/** What has to be fetched or made. */
interface Lacking {
  readonly libraries: boolean;
  readonly cuda: boolean;
}

/** Bytes that set-up takes at its peak: wheel, libraries and, for GPUs, CUDA's. */
function neededBytes({ gpu }: Target, { wheel, fromPython }: InstallOptions, lacking: Lacking): number {
  const cuda = lacking.cuda ? CUDA_BYTES : 0;
  if (fromPython || !lacking.libraries) return 50 * MIB + cuda;
  return (gpu ? 1300 : 900) * MIB + (wheel === undefined ? (gpu ? 650 : 300) * MIB : 0) + cuda;
}

async function checkSpace(system: System, root: string, needed: number): Promise<void> {
  const free = await system.freeBytes(root);
  if (free >= needed) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  throw new LibtensorflowError(
    'DISK_FULL',
    `Set-up needs ${mib(needed)} in ${root}, ${mib(free)} are free.`,
    "Free some space, remove old versions with 'npx @frugal/libtensorflow --clean', or put the cache elsewhere: FRUGAL_LIBTF_CACHE=/folder.",
  );
}

/** What was found out about the TensorFlow that is asked for, before anything is fetched. */
interface Plan {
  readonly target: Target;
  readonly python?: PythonTensorflow;
}

async function plan(system: System, options: InstallOptions): Promise<Plan> {
  const { machine } = system;
  if (options.wheel === undefined && !options.fromPython)
    return { target: chooseTarget(machine, options.version ?? DEFAULT_VERSION, options.gpu) };
  const python = options.fromPython ? await findInPython(system) : undefined;
  const wheel = python === undefined ? readWheelName(options.wheel!) : undefined;
  const [version, name] =
    python !== undefined ? [python.version, python.distribution] : [wheel!.version, wheel!.package];
  const what = python !== undefined ? "Python's TensorFlow" : 'The wheel';
  if (options.version !== undefined && options.version !== version) {
    const fix = 'Leave --tf out, or leave out where it comes from.';
    throw new LibtensorflowError('BAD_ARGUMENT', `${what} is ${version}, not ${options.version}.`, fix);
  }
  if (options.gpu && name.includes('cpu')) {
    const fix = "Give 'tensorflow' instead, or leave --gpu out.";
    throw new LibtensorflowError('BAD_ARGUMENT', `${what} is ${name}, which uses no GPU.`, fix);
  }
  const target = chooseTarget(machine, version, options.gpu);
  const processor = machine.arch === 'x64' ? 'x86_64' : 'aarch64';
  if (wheel !== undefined && !(wheel.tags.includes(processor) && wheel.tags.includes('linux'))) {
    throw new LibtensorflowError(
      'BAD_WHEEL',
      `The wheel is for ${wheel.tags}.`,
      `Give one for ${processor} and Linux.`,
    );
  }
  return python === undefined ? { target } : { target, python };
}

/** Errors of the file system that the user can do something about, in words. */
function explained(error: unknown, root: string): unknown {
  const { code, path = root } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const fix = 'Free some space and run the command again.';
    return new LibtensorflowError('DISK_FULL', `The disk of ${root} filled up.`, fix, { cause: error });
  }
  if (code !== undefined && ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR'].includes(code)) {
    const fix = 'Put the cache where you may write: FRUGAL_LIBTF_CACHE=/folder.';
    return new LibtensorflowError('NOT_WRITABLE', `${path} cannot be written (${code}).`, fix, { cause: error });
  }
  return error;
}

/**
 * Sets a TensorFlow up in the cache. It appears there only after a proof in a child process, in one rename.
 *
 * One that is there already is kept; what it lacks (a binding of this version, CUDA libraries) is made or fetched.
 *
 * @throws {LibtensorflowError} Naming what is missing and what to do. Nothing half-done stays.
 */
export async function install(system: System, options: InstallOptions, progress: Progress): Promise<Installed> {
  const planned = await plan(system, options);
  const root = cacheRoot(system.env);
  try {
    return await setUp(system, options, planned, root, progress);
  } catch (error) {
    throw explained(error, root);
  }
}

async function setUp(
  system: System,
  options: InstallOptions,
  { target, python }: Plan,
  root: string,
  progress: Progress,
): Promise<Installed> {
  const tfjsNode = findTfjsNode(options.from, options.gpu);
  const name = installationName(target);
  const release = await takeLock(root, name);
  const folder = join(root, unfinishedName(name));
  try {
    const existing = readInstallation(root, name);
    const whole = existing !== undefined && existing.damage === undefined ? existing : undefined;
    const cuda = target.gpu && (whole === undefined || (await missingCuda(system, whole)).length > 0);
    if (whole !== undefined && whole.native === nativeSum() && !cuda) {
      progress.step(`TensorFlow ${name} is there already: ${whole.folder}`);
      const proof = await proveApart(system, options.program, whole.folder, tfjsNode.folder);
      return { installation: whole, already: true, proof };
    }
    await removeLeftovers(root);
    const compiler = await findCompiler(system);
    const fetches = whole === undefined ? !options.fromPython && (options.wheel === undefined || options.gpu) : cuda;
    if (fetches) await findPip(system);
    await checkSpace(system, root, neededBytes(target, options, { libraries: whole === undefined, cuda }));
    await mkdir(folder, { recursive: true });
    if (whole !== undefined) {
      await linkFiles(whole.folder, folder, !cuda);
      if (cuda) await fetchCuda(system, target.version, folder, progress);
    }
    const source = whole?.source ?? (await fill(system, target, { python, wheel: options.wheel }, folder, progress));
    progress.step(`Compiling the binding of ${tfjsNode.package} ${tfjsNode.version} with ${compiler}`);
    await compileBinding(system, compiler, folder, tfjsNode.folder);
    progress.step('Proving it in a process of its own');
    const proof = await proveApart(system, options.program, folder, tfjsNode.folder);
    const manifest: Manifest = {
      format: 1,
      tensorflow: proof.tensorflow,
      gpu: target.gpu,
      source,
      tfjsNode: tfjsNode.version,
      native: nativeSum(),
      made: new Date().toISOString(),
      files: sizesOf(folder, [BINDING, ...LIBRARIES.map((file) => join('lib', file))]),
    };
    await writeFile(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await rm(join(root, name), { recursive: true, force: true });
    await rename(folder, join(root, name));
    return { installation: readInstallation(root, name)!, already: false, proof };
  } finally {
    await rm(folder, { recursive: true, force: true });
    await release();
  }
}
