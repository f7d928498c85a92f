import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageNames, root } from '@frugal/test-support';

const execute = promisify(execFile);
const pnpm = join(root, 'node_modules/pnpm/bin/pnpm.cjs');

/** Runs a program in a folder; a failure carries everything it printed. */
export async function runIn(cwd: string, program: string, args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await execute(program, args, { cwd, maxBuffer: 1 << 26 });
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr, message } = error as { stdout: string; stderr: string; message: string };
    throw new Error(`${message}\n${stdout}\n${stderr}`);
  }
}

/** Packs every package and returns name → tarball. */
export async function packAll(): Promise<Map<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'frugal-pack-'));
  const tarballs = new Map<string, string>();
  for (const name of packageNames()) {
    const before = new Set(readdirSync(folder));
    await runIn(join(root, 'packages', name), process.execPath, [pnpm, 'pack', '--pack-destination', folder]);
    const file = readdirSync(folder).find((entry) => !before.has(entry));
    tarballs.set(`@frugal/${name}`, join(folder, file!));
  }
  return tarballs;
}

/** The pinned version of an npm package, from the workspace's catalog. */
function pinned(name: string): string {
  const catalog = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8');
  const version = new RegExp(`^  "?${name.replaceAll('/', '\\/')}"?: (.+)$`, 'm').exec(catalog)?.[1];
  if (version === undefined) throw new Error(`${name} is in a README's install line but not in the catalog.`);
  return version;
}

/** An empty project with what a README says to install, and TypeScript and Vite beside it. */
export async function emptyProject(install: string[], tarballs: Map<string, string>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'frugal-user-'));
  const dependencies = Object.fromEntries(
    install.map((name) => [name, tarballs.has(name) ? `file:${tarballs.get(name)}` : pinned(name)]),
  );
  const overrides = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
  const manifest = {
    name: 'user',
    private: true,
    type: 'module',
    dependencies,
    devDependencies: { '@types/node': pinned('@types/node'), typescript: pinned('typescript'), vite: pinned('vite') },
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  const lines = Object.entries(overrides).map(([name, value]) => `  "${name}": "${value}"`);
  writeFileSync(
    join(folder, 'pnpm-workspace.yaml'),
    `autoInstallPeers: false\noverrides:\n${lines.join('\n')}\nignoredBuiltDependencies: [esbuild, core-js]\n`,
  );
  mkdirSync(join(folder, 'src'));
  await runIn(folder, process.execPath, [pnpm, 'install', '--prefer-offline', '--loglevel=error']);
  return folder;
}
