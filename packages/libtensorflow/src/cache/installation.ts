import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LibtensorflowError } from '../errors.ts';
import { compareVersions } from '../setup/platform.ts';
import { cacheRoot, VERSION_VARIABLE } from './paths.ts';

/** What set-up writes into a finished installation, as its last file. */
export interface Manifest {
  readonly format: 1;
  readonly tensorflow: string;
  readonly gpu: boolean;
  /** Where the libraries came from. */
  readonly source: string;
  /** The tfjs-node whose sources the binding was compiled from. */
  readonly tfjsNode: string;
  /** Sum of our own sources in the binding: another version of this package compiles it anew. */
  readonly native: string;
  /** ISO date. */
  readonly made: string;
  /** Bytes of the files that are loaded into the process, by path: a torn one would kill it. */
  readonly files: Readonly<Record<string, number>>;
}

/** A TensorFlow in the cache. */
export interface Installation extends Manifest {
  /** Folder name, such as `2.21.0-gpu`. */
  readonly name: string;
  readonly folder: string;
  readonly binding: string;
  /** What is wrong with it; undefined if nothing is. */
  readonly damage: string | undefined;
}

export const MANIFEST = 'installation.json';
export const BINDING = 'tfjs_binding.node';
const SET_UP = "Run 'npx @frugal/libtensorflow'";

/** The first file that is missing or has another size, in words. */
function damageOf(folder: string, { files }: Manifest): string | undefined {
  for (const [path, size] of Object.entries(files)) {
    try {
      const actual = statSync(join(folder, path)).size;
      if (actual !== size) return `${path} has ${actual} bytes instead of ${size}`;
    } catch {
      return `${path} is missing`;
    }
  }
  return undefined;
}

/** Reads an installation; undefined if the folder is none. */
export function readInstallation(root: string, name: string): Installation | undefined {
  const folder = join(root, name);
  try {
    const manifest = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Manifest;
    if (manifest.format !== 1) return undefined;
    return { ...manifest, name, folder, binding: join(folder, BINDING), damage: damageOf(folder, manifest) };
  } catch {
    return undefined;
  }
}

/** What stands in the cache: GPU builds first, then by version, newest first. */
export function listInstallations(root: string = cacheRoot()): Installation[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch {
    return [];
  }
  return names
    .filter((name) => !name.startsWith('.'))
    .map((name) => readInstallation(root, name))
    .filter((one) => one !== undefined)
    .sort((a, b) => Number(b.gpu) - Number(a.gpu) || compareVersions(b.tensorflow, a.tensorflow));
}

/** Which installation to load. */
export interface InstallationChoice {
  /** TensorFlow's version. Default: the environment's `FRUGAL_LIBTF_VERSION` (such as `2.18.1-gpu`), else the newest. */
  readonly version?: string | undefined;
  /** A GPU build or not. Default: a GPU build if there is one. */
  readonly gpu?: boolean | undefined;
}

/**
 * The installation to load.
 *
 * @throws {LibtensorflowError} `NOT_SET_UP` if none fits, `DAMAGED` if it lacks a file or has a torn one.
 */
export function chooseInstallation(
  choice: InstallationChoice = {},
  env: NodeJS.ProcessEnv = process.env,
): Installation {
  const root = cacheRoot(env);
  const all = listInstallations(root);
  const asked = choice.version === undefined && choice.gpu === undefined ? env[VERSION_VARIABLE] : undefined;
  const fitting = all.filter(
    (one) =>
      (choice.version === undefined || one.tensorflow === choice.version) &&
      (choice.gpu === undefined || one.gpu === choice.gpu) &&
      (asked === undefined || asked === '' || one.name === asked),
  );
  const chosen = fitting.find(({ damage }) => damage === undefined) ?? fitting[0];
  if (chosen === undefined) {
    const flags = `${choice.gpu === true ? ' --gpu' : ''}${choice.version === undefined ? '' : ` --tf ${choice.version}`}`;
    const there = all.length === 0 ? '' : ` (${all.map(({ name }) => name).join(', ')} are)`;
    const what = asked ?? [choice.version, choice.gpu === true ? 'for GPUs' : ''].filter(Boolean).join(' ');
    throw new LibtensorflowError(
      'NOT_SET_UP',
      `TensorFlow${what === '' ? '' : ` ${what}`} is not set up in ${root}${there}.`,
      `${SET_UP.slice(0, -1)}${flags}'.`,
    );
  }
  if (chosen.damage !== undefined) {
    throw new LibtensorflowError(
      'DAMAGED',
      `TensorFlow in ${chosen.folder} is damaged: ${chosen.damage}.`,
      `${SET_UP.slice(0, -1)}${chosen.gpu ? ' --gpu' : ''} --tf ${chosen.tensorflow}' again.`,
    );
  }
  return chosen;
}

/** Bytes below a folder, links counted as what they are, and what goes away meanwhile as nothing. */
export function folderSize(folder: string): number {
  let bytes = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      bytes += entry.isDirectory() ? folderSize(path) : (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0);
    }
  } catch {
    // The folder went away.
  }
  return bytes;
}

/** Sizes of files below a folder, for the manifest. */
export function sizesOf(folder: string, paths: readonly string[]): Record<string, number> {
  return Object.fromEntries(paths.map((path) => [path, statSync(realpathSync(join(folder, path))).size]));
}
