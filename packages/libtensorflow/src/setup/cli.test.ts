import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fake, wheelFile, write } from '../testing/fakes.ts';
import { main } from './cli.ts';

let [out, err] = ['', ''];
beforeEach(() => {
  [out, err] = ['', ''];
  vi.spyOn(console, 'log').mockImplementation((text: string) => {
    out += `${text}\n`;
  });
  vi.spyOn(console, 'error').mockImplementation((text: string) => {
    err += `${text}\n`;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
});
vi.setConfig({ testTimeout: 120_000 });
afterEach(() => vi.restoreAllMocks());

it('sets up, checks and cleans', async () => {
  const { system, options, left } = fake();
  const run = (...args: string[]): Promise<number> => main(args, options.program, system);
  expect(await run('--check')).toBe(1);
  expect(out).toMatch(/Nothing is set up in .*Run 'npx @frugal\/libtensorflow'/);
  expect(await run('--wheel', wheelFile())).toBe(0);
  expect(out).toMatch(/TensorFlow 2.21.0 multiplies and trains \(CPU\)/);
  expect(await run('--check')).toBe(0);
  expect(out).toMatch(/✓ 2\.21\.0 .*computes on the CPU/);
  expect(await run('--clean', '--tf', '2.18.1')).toBe(0);
  expect(left()).toEqual(['2.21.0']);
  expect(await run('--clean')).toBe(0);
  expect(out).toMatch(/Removed 2.21.0/);
  expect(left()).toEqual([]);
});

it('check says what is damaged and fails', async () => {
  const { system, options, cache } = fake();
  await main(['--wheel', wheelFile()], options.program, system);
  write(cache, '2.21.0/tfjs_binding.node', '');
  expect(await main(['--check'], options.program, system)).toBe(1);
  expect(out).toMatch(/✗ 2\.21\.0[^✓]*tfjs_binding.node has 0 bytes.*npx @frugal\/libtensorflow --tf 2.21.0/s);
});

it('says what is missing on stderr with status 1, and what is wrong with a command with status 2', async () => {
  const { system, options } = fake();
  expect(await main([], options.program, system)).toBe(1);
  expect(err).toMatch(/There is no Python 3.8 or newer.\nInstall Python 3/);
  expect(await main(['--gpu=yes'], options.program, system)).toBe(2);
  expect(await main(['--wheel', 'a.whl', '--clean'], options.program, system)).toBe(2);
  expect(err).toMatch(/exclude each other[\s\S]*Usage: npx @frugal\/libtensorflow/);
  expect(await main(['now'], options.program, system)).toBe(2);
  expect(await main(['--help'], options.program, system)).toBe(0);
  expect(out).toMatch(/--from-python/);
});

it('leaves nothing behind when it is interrupted', async () => {
  const { system, options, left } = fake();
  // In a process of its own, as it ends the process.
  const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
  const fakes = fileURLToPath(new URL('../testing/fakes.ts', import.meta.url));
  const program = write(
    options.from,
    'run.mjs',
    `import { main } from ${JSON.stringify(cli)};
     import { LINUX, programs } from ${JSON.stringify(fakes)};
     import { thisSystem } from ${JSON.stringify(fileURLToPath(new URL('./system.ts', import.meta.url)))};
     const PATH = programs({ 'g++': 'case "$*" in --version) exit 0;; esac; kill -INT $PPID; while :; do :; done' });
     const real = thisSystem();
     const run = (name, args, more) => real.run(name, args, { ...more, env: { ...more?.env, PATH } });
     await main(process.argv.slice(2), [], { ...real, run, machine: LINUX, env: { FRUGAL_LIBTF_CACHE: ${JSON.stringify(system.env['FRUGAL_LIBTF_CACHE'])} } });`,
  );
  const tsx = createRequire(import.meta.url).resolve('tsx');
  const args = ['--conditions=@frugal/source', '--import', tsx, program, '--wheel', wheelFile()];
  const { status } = spawnSync(process.execPath, args, { cwd: options.from, encoding: 'utf8' });
  expect(status).toBe(130);
  expect(left()).toEqual([]);
});
