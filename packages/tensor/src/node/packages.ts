import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Whether a package stands in a `node_modules` above `folder`; NODE_PATH, which package managers set, does not count. */
function isInstalled(folder: string, name: string): boolean {
  if (process.versions.pnp !== undefined) return true; // Yarn without node_modules: resolving tells.
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, 'node_modules', name, 'package.json'))) return true;
    if (at === dirname(at)) return false;
  }
}

/**
 * The file that a package name stands for in a program of `folder`, as a URL; undefined where it is not installed.
 *
 * From the user's folder, as what they installed beside their program need not be visible from here.
 */
export function resolveFrom(folder: string, name: string): string | undefined {
  if (!isInstalled(folder, name)) return undefined;
  try {
    return pathToFileURL(createRequire(join(folder, 'package.json')).resolve(name)).href;
  } catch {
    return undefined;
  }
}
