import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import {
  BINDING,
  folderSize,
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
import { extractWheel, linkPython, readWheelName } from './extract.ts';
import { CUDA_PACKAGES } from './gpu.ts';
import { chooseTarget, DEFAULT_VERSION, LIBRARIES, type Target } from './platform.ts';
import { type Proof, proveApart } from './prove.ts';
import { downloadWheel, findInPython, findPip, installPackages } from './python.ts';
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

/** Bytes that set-up takes at its peak: wheel, libraries and, for GPUs, CUDA's. */
function neededBytes({ gpu }: Target, { wheel, fromPython }: InstallOptions): number {
  if (fromPython) return 50 * MIB;
  const libraries = (gpu ? 1300 : 900) * MIB;
  return libraries + (wheel === undefined ? (gpu ? 650 : 300) * MIB : 0) + (gpu ? 6000 * MIB : 0);
}

async function checkSpace(system: System, root: string, target: Target, options: InstallOptions): Promise<void> {
  const needed = neededBytes(target, options);
  const free = await system.freeBytes(root);
  if (free >= needed) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  throw new LibtensorflowError(
    'DISK_FULL',
    `Set-up needs ${mib(needed)} in ${root}, ${mib(free)} are free.`,
    "Free some space, remove old versions with 'npx @frugal/libtensorflow --clean', or put the cache elsewhere: FRUGAL_LIBTF_CACHE=/folder.",
  );
}

/** What is asked for, as far as it is known before anything is fetched. */
async function plan(system: System, options: InstallOptions) {
  if (options.wheel !== undefined) {
    const named = readWheelName(options.wheel);
    const target = chooseTarget(system.machine, named.version, options.gpu);
    const machine = system.machine.arch === 'x64' ? 'x86_64' : 'aarch64';
    if (!named.tags.includes(machine) || !named.tags.includes('linux')) {
      throw new LibtensorflowError(
        'BAD_WHEEL',
        `The wheel is for ${named.tags}.`,
        `Give one for ${machine} and Linux.`,
      );
    }
    return { target, python: undefined };
  }
  if (options.fromPython) {
    const python = await findInPython(system);
    return { target: chooseTarget(system.machine, python.version, options.gpu), python };
  }
  return { target: chooseTarget(system.machine, options.version ?? DEFAULT_VERSION, options.gpu), python: undefined };
}

/** Shows how a folder grows while something else fills it. */
async function watching<T>(folder: string, progress: Progress, work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {
    try {
      progress.bytes(folderSize(folder));
    } catch {
      // A file went away while it was looked at.
    }
  }, 500);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Sets a TensorFlow up in the cache. It appears there only after a proof in a child process, in one rename.
 *
 * @throws {LibtensorflowError} Naming what is missing and what to do. Nothing half-done stays.
 */
export async function install(system: System, options: InstallOptions, progress: Progress): Promise<Installed> {
  const { target, python } = await plan(system, options);
  const tfjsNode = findTfjsNode(options.from, options.gpu);
  const root = cacheRoot(system.env);
  const name = installationName(target);
  const release = await takeLock(root, name);
  const folder = join(root, unfinishedName(name));
  try {
    const existing = readInstallation(root, name);
    const whole = existing !== undefined && existing.damage === undefined ? existing : undefined;
    if (whole !== undefined && whole.native === nativeSum()) {
      progress.step(`TensorFlow ${name} is there already: ${whole.folder}`);
      return {
        installation: whole,
        already: true,
        proof: await proveApart(system, options.program, whole.folder, tfjsNode.folder),
      };
    }
    await removeLeftovers(root);
    const compiler = await findCompiler(system);
    const downloads = whole === undefined && !options.fromPython && (options.wheel === undefined || options.gpu);
    const pip = downloads ? await findPip(system) : undefined;
    if (whole === undefined) await checkSpace(system, root, target, options);
    await mkdir(folder, { recursive: true });
    if (whole !== undefined) await linkFiles(whole.folder, folder);
    const source = whole?.source ?? (await fillLibraries(system, options, target, { folder, python, pip, progress }));
    progress.step(`Compiling the binding of ${tfjsNode.package} ${tfjsNode.version} with ${compiler}`);
    await compileBinding(system, compiler, folder, tfjsNode.folder);
    progress.step('Proving it in a process of its own');
    const proof = await proveApart(system, options.program, folder, tfjsNode.folder);
    const manifest: Manifest = {
      ...{
        format: 1,
        tensorflow: proof.tensorflow,
        gpu: target.gpu,
        source,
        tfjsNode: tfjsNode.version,
        native: nativeSum(),
      },
      made: new Date().toISOString(),
      files: sizesOf(folder, [BINDING, ...LIBRARIES.map((file) => join('lib', file))]),
    };
    await writeFile(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    await rm(join(root, name), { recursive: true, force: true });
    await rename(folder, join(root, name));
    return { installation: readInstallation(root, name)!, already: false, proof };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new LibtensorflowError(
      'DISK_FULL',
      `The disk of ${root} filled up.`,
      'Free some space and run the command again.',
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
    await release();
  }
}

/** Puts the files of an installation into another folder without copying them; the binding is made anew. */
async function linkFiles(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true, recursive: true })) {
    const path = join(relative(from, entry.parentPath), entry.name);
    if (entry.isDirectory()) await mkdir(join(to, path), { recursive: true });
    else if (entry.isSymbolicLink()) await symlink(await readlink(join(from, path)), join(to, path));
    else if (path !== BINDING && path !== MANIFEST) await link(join(from, path), join(to, path));
  }
}

interface Filling {
  readonly folder: string;
  readonly python: Awaited<ReturnType<typeof findInPython>> | undefined;
  readonly pip: string | undefined;
  readonly progress: Progress;
}

/** Puts libraries and headers into place; returns where they came from. */
async function fillLibraries(
  system: System,
  options: InstallOptions,
  target: Target,
  filling: Filling,
): Promise<string> {
  const { folder, python, pip, progress } = filling;
  if (python !== undefined) {
    progress.step(`Checking the libraries of Python's ${python.distribution} ${python.version} against its RECORD`);
    await linkPython(python, folder, (done, total) => progress.bytes(done, total));
    const cuda = join(python.site, 'nvidia');
    if (options.gpu && existsSync(cuda)) await symlink(cuda, join(folder, 'nvidia'));
    return `Python's ${python.distribution} in ${python.site}`;
  }
  let wheel = options.wheel;
  if (wheel === undefined) {
    progress.step(`Downloading ${target.package} ${target.version} with pip`);
    const downloads = join(folder, 'download');
    await mkdir(downloads);
    wheel = await watching(downloads, progress, downloadWheel(system, pip!, target, downloads));
  }
  progress.step('Extracting libraries and headers, checked against RECORD');
  await extractWheel(wheel, folder, (done, total) => progress.bytes(done, total));
  await rm(join(folder, 'download'), { recursive: true, force: true });
  if (options.gpu) {
    progress.step('Installing the CUDA libraries with pip');
    await watching(folder, progress, installPackages(system, pip!, CUDA_PACKAGES, folder));
  }
  return options.wheel ?? `${target.package} ${target.version} from pip's index`;
}
