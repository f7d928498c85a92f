// Makes the workspace ready: packages from npm, then the wasm kernels (and, with --build, everything in dist).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a command in the workspace and leaves the process where it fails. */
export function run(command, args, options = {}) {
  const path = `${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    ...options,
    env: { ...process.env, ...options.env, PATH: path },
  });
  if (status !== 0) process.exit(status ?? 1);
}

function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(
    `Frugal needs Node 20.19 or newer, this is ${process.versions.node}. Install a newer one and run the command again.`,
  );
  process.exit(1);
}

function install() {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex');
  const stamp = join(root, 'node_modules/.frugal-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  run('npx', ['--yes', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only', '--loglevel=warn']);
  writeFileSync(stamp, lock);
}

/** Does what is missing and returns how many seconds it took. */
export function setup({ build = false } = {}) {
  const start = performance.now();
  refuseOldNode();
  install();
  if (build)
    run('turbo', ['run', 'build', '--output-logs=errors-only', '--log-order=grouped'], {
      env: { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
    });
  else run(process.execPath, ['packages/wasm/scripts/build.mjs']);
  return (performance.now() - start) / 1000;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(`Set-up took ${setup({ build: process.argv.includes('--build') }).toFixed(1)} s.`);
}
