import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Target } from '../setup/platform.ts';

/** Names of environment variables that this package reads. */
export const CACHE_VARIABLE = 'FRUGAL_LIBTF_CACHE';
export const VERSION_VARIABLE = 'FRUGAL_LIBTF_VERSION';

/** Where installations stand: outside of any `node_modules`, so that they survive a reinstall. Absolute. */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const given = env[CACHE_VARIABLE];
  if (given !== undefined && given !== '') return resolve(given);
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg !== undefined && xdg !== '' ? resolve(xdg) : join(homedir(), '.cache'), 'frugal-libtensorflow');
}

/** The folder name of a TensorFlow: versions stand side by side, and so do CPU and GPU builds. */
export const installationName = ({ version, gpu }: Pick<Target, 'version' | 'gpu'>): string =>
  gpu ? `${version}-gpu` : version;
