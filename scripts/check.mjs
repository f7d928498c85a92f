// npm run check: everything that a machine can say about the code without running it. All checks run, then the verdict.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

setup({ build: true });

const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name));
const checks = [
  ['types', 'tsc', ['-p', 'tsconfig.json', '--noEmit']],
  ['style', 'biome', ['ci', '--diagnostic-level=error', '.']],
  ['unused', 'knip', ['--no-progress']],
  ...packages.map((folder) => [`publint ${folder}`, 'publint', ['--strict', folder, '--pack', 'pnpm']]),
  ...packages.map((folder) => [
    `types of ${folder} for its users`,
    'attw',
    ['--pack', folder, '--profile', 'esm-only', '--format', 'table-flipped'],
  ]),
  ['size', 'size-limit', []],
  [
    'documented exports',
    'typedoc',
    ['--options', 'typedoc.json', '--emit', 'none', '--treatWarningsAsErrors', '--logLevel', 'Warn'],
    'docs',
  ],
];

const failed = [];
for (const [name, command, args, folder = '.'] of checks) {
  const cwd = join(root, folder);
  const path = `${join(cwd, 'node_modules/.bin')}:${join(root, 'node_modules/.bin')}:${process.env.PATH}`;
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', PATH: path },
  });
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  if (status !== 0) failed.push(`${name}\n${stdout}${stderr}`);
}
for (const text of failed) console.error(`\n── ${text}`);
process.exit(failed.length === 0 ? 0 : 1);
