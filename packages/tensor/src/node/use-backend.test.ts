import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BackendProvider, NoBackendError } from '@frugal/tensor';
import { root } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Diagnosis } from './doctor.ts';
import { backendByName, backendNames } from './providers.ts';
import { describeBackends, useBackend } from './use-backend.ts';

let folder = '';
const home = process.cwd();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'frugal-'));
});
afterEach(() => process.chdir(home));
afterAll(() => rm(folder, { recursive: true }));

/** A project with packages of the given sources. */
async function project(name: string, packages: Record<string, string>): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  for (const [id, source] of Object.entries(packages)) {
    const at = join(path, 'node_modules', id);
    await mkdir(at, { recursive: true });
    const manifest = { name: id, version: '1.0.0', type: 'module', exports: { '.': { default: './index.js' } } };
    await writeFile(join(at, 'package.json'), JSON.stringify(manifest));
    await writeFile(join(at, 'index.js'), source);
  }
  return path;
}

const provider = (exported: string, report: object, start = "throw new Error('does not start')") => `
export const ${exported} = () => ({
  name: '${exported}',
  describe: async () => (${JSON.stringify({ name: exported, available: true, reason: 'There.', details: {}, ...report })}),
  start: async () => { ${start} },
});`;

it('finds packages beside the program of the user', async () => {
  const path = await project('found', { '@frugal/wasm': provider('wasm', { reason: 'From the project.' }) });
  expect(await (await backendByName('wasm', path)).describe()).toMatchObject({
    available: true,
    reason: 'From the project.',
  });
  expect(await (await backendByName('webgpu', path)).describe()).toMatchObject({
    available: false,
    reason: '@frugal/webgpu is not installed.',
    fix: 'npm install @frugal/webgpu',
  });
});

it('prefers our package to the one of tfjs, and takes that where ours is missing', async () => {
  const stock = { '@tensorflow/tfjs-backend-wasm': '' };
  const path = await project('both', { '@frugal/wasm': provider('wasm', {}), ...stock });
  expect((await (await backendByName('wasm', path)).describe()).reason).toBe('There.');
  const only = await project('stock', stock);
  expect((await (await backendByName('wasm', only)).describe()).reason).toBe(
    '@tensorflow/tfjs-backend-wasm is installed.',
  );
  // This package registers nothing in our copy of tfjs-core.
  await expect((await backendByName('wasm', only)).start()).rejects.toMatchObject({ code: 'TWO_CORES' });
});

it('says what is wrong with a package that is there', async () => {
  const path = await project('broken', {
    '@frugal/wasm': 'export const other = 1;',
    '@frugal/webgpu': "throw new Error('no device library');",
  });
  expect((await (await backendByName('wasm', path)).describe()).reason).toBe("@frugal/wasm has no 'wasm'.");
  expect((await (await backendByName('webgpu', path)).describe()).reason).toMatch(/does not load: no device library/);
  await expect(backendByName('cuda' as never)).rejects.toMatchObject({ code: 'UNKNOWN_BACKEND' });
});

it('starts the first name or provider that works and says why not the others', async () => {
  process.chdir(await project('order', {}));
  const broken: BackendProvider = {
    name: 'broken',
    describe: async () => ({ name: 'broken', available: false, reason: 'It is broken.', details: {} }),
    start: async () => Promise.reject(new Error('It is broken.')),
  };
  const { name, reason } = await useBackend(['webgpu', broken, 'cpu']);
  expect([name, tf.getBackend()]).toEqual(['cpu', 'cpu']);
  expect(reason).toMatch(
    /webgpu was passed over: @frugal\/webgpu is not installed.*broken was passed over: It is broken/,
  );
  await expect(useBackend(['webgl', 'webgpu'])).rejects.toThrow(NoBackendError);
  await expect(useBackend('wasm')).rejects.toThrow(/npm install @frugal\/wasm/);
});

it("passes over emulated devices with 'auto', not by name", async () => {
  const start = "return { name: 'webgpu', reason: 'Started.', details: {} };";
  process.chdir(
    await project('auto', { '@frugal/webgpu': provider('webgpu', { details: { software: true } }, start) }),
  );
  const { name, reason } = await useBackend('auto');
  expect(name).toBe('cpu');
  expect(reason).toMatch(/webgpu was passed over: Its only device is emulated/);
  expect((await describeBackends()).map((report) => [report.name, report.available])).toEqual([
    ['tensorflow', false],
    ['webgpu', true],
    ['wasm', false],
    ['webgl', false],
    ['cpu', true],
  ]);
  expect(backendNames).toHaveLength(5);
});

/** The command line, as the installed program runs it, from the sources. */
async function run(cwd: string, ...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const program = join(folder, 'tensor.mjs');
  const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
  const self = JSON.stringify(program);
  await writeFile(
    program,
    `import { main } from ${JSON.stringify(cli)};\nprocess.exit(await main(process.argv.slice(2), [${self}]));`,
  );
  const tsx = createRequire(import.meta.url).resolve('tsx');
  return spawnSync(process.execPath, ['--conditions=@frugal/source', '--import', tsx, program, ...args], {
    cwd,
    encoding: 'utf8',
  });
}

it('doctor tries each backend in a process of its own', async () => {
  const crash = await project('crash', { '@frugal/webgpu': provider('webgpu', {}, 'process.abort();') });
  const { stdout, status } = await run(crash, 'doctor', '--json', '--backend', 'webgpu', '--backend', 'cpu');
  const { backends, auto } = JSON.parse(stdout) as Diagnosis;
  expect(backends).toMatchObject([
    { name: 'webgpu', works: false, reason: expect.stringMatching(/was ended by SIGABRT|ended with code/) },
    { name: 'cpu', works: true, trains: { dense: true, conv: true, embedding: true } },
  ]);
  expect(backends[1]!.gflops).toBeGreaterThan(0.001);
  expect([auto, status]).toEqual(['cpu', 0]);
}, 60_000);

it('doctor reports the real wasm backend, its speed and what it trains', async () => {
  const { stdout, status } = await run(join(root, 'tests'), 'doctor', '--backend', 'wasm');
  expect(stdout).toMatch(/✓ wasm +[\d.e+]+ GFLOP\/s/);
  expect(stdout).toMatch(/trains dense, conv, embedding/);
  expect(stdout).toContain("useBackend('auto') takes wasm.");
  expect(status).toBe(0);
}, 60_000);

it('doctor says how it is used and fails where nothing works', async () => {
  const empty = await project('empty', {});
  expect(await run(empty, 'doctor', '--backend', 'webgl')).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('No backend works.'),
  });
  expect(await run(empty, 'cure')).toMatchObject({ status: 2, stderr: expect.stringContaining("no command 'cure'") });
  expect(await run(empty, 'doctor', '--backend', 'cuda')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("no backend 'cuda'"),
  });
}, 60_000);
