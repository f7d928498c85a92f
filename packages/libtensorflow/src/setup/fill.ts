import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { BINDING, folderSize, MANIFEST } from '../cache/installation.ts';
import { extractWheel, linkPython } from './extract.ts';
import { CUDA_FOLDER, cudaPackages, missingCuda } from './gpu.ts';
import type { Progress } from './install.ts';
import type { Target } from './platform.ts';
import { downloadWheel, findPip, installPackages, type PipListener, type PythonTensorflow } from './python.ts';
import type { System } from './system.ts';

/** Where libraries come from: a TensorFlow in Python, a wheel, or (neither) pip's index. */
export interface Source {
  readonly python?: PythonTensorflow | undefined;
  readonly wheel?: string | undefined;
}

/**
 * Puts libraries and headers into an installation in the making, each checked against RECORD; for GPUs CUDA's too.
 *
 * @returns Where they came from, for the manifest.
 */
export async function fill(
  system: System,
  target: Target,
  { python, wheel }: Source,
  folder: string,
  progress: Progress,
): Promise<string> {
  const bytes = (done: number, total: number): void => progress.bytes(done, total);
  if (python !== undefined) {
    progress.step(`Checking the libraries of Python's ${python.distribution} ${python.version} against its RECORD`);
    await linkPython(python, folder, bytes);
    if (target.gpu && !(await linkCuda(system, python, folder)))
      await fetchCuda(system, target.version, folder, progress);
    return `Python's ${python.distribution} in ${python.site}`;
  }
  const downloads = join(folder, 'download');
  let file = wheel;
  if (file === undefined) {
    progress.step(`Downloading ${target.package} ${target.version} with pip`);
    await mkdir(downloads);
    const python = await findPip(system);
    file = await watching(downloads, progress, (listener) =>
      downloadWheel(system, python, target, downloads, listener),
    );
  }
  progress.step('Extracting libraries and headers, checked against RECORD');
  await extractWheel(file, folder, bytes);
  await rm(downloads, { recursive: true, force: true });
  if (target.gpu) await fetchCuda(system, target.version, folder, progress);
  return wheel ?? `${target.package} ${target.version} from pip's index`;
}

/** Links the CUDA libraries that Python has; false, and no link, where TensorFlow would lack one. */
async function linkCuda(system: System, { site, version }: PythonTensorflow, folder: string): Promise<boolean> {
  const [from, to] = [join(site, CUDA_FOLDER), join(folder, CUDA_FOLDER)];
  if (existsSync(from)) await symlink(from, to);
  if ((await missingCuda(system, { folder, tensorflow: version })).length === 0) return true;
  // Else pip would write through the link into Python's own folder.
  await rm(to, { force: true });
  return false;
}

/** Installs the CUDA libraries where TensorFlow's own look for them. */
export async function fetchCuda(system: System, version: string, folder: string, progress: Progress): Promise<void> {
  progress.step('Installing the CUDA libraries with pip');
  const python = await findPip(system);
  await watching(folder, progress, (listener) =>
    installPackages(system, python, cudaPackages(version), folder, listener),
  );
}

/** Shows how a folder grows while pip fills it, file by file. */
async function watching<T>(
  folder: string,
  progress: Progress,
  work: (listener: PipListener) => Promise<T>,
): Promise<T> {
  let total: number | undefined;
  let before = folderSize(folder);
  const timer = setInterval(() => progress.bytes(folderSize(folder) - before, total), 500);
  try {
    return await work((bytes) => {
      total = bytes;
      before = folderSize(folder);
    });
  } finally {
    clearInterval(timer);
  }
}

/** Puts the libraries and headers of an installation into another folder without copying them; CUDA's if they are whole. */
export async function linkFiles(from: string, to: string, cuda: boolean): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true, recursive: true })) {
    const path = join(relative(from, entry.parentPath), entry.name);
    if (!cuda && (path === CUDA_FOLDER || path.startsWith(join(CUDA_FOLDER, '/')))) continue;
    if (entry.isDirectory()) await mkdir(join(to, path), { recursive: true });
    else if (entry.isSymbolicLink()) await symlink(await readlink(join(from, path)), join(to, path));
    else if (path !== BINDING && path !== MANIFEST) await link(join(from, path), join(to, path));
  }
}
