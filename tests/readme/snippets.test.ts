import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readReadme, root } from '@frugal/test-support';
import { expect, it } from 'vitest';

it('the snippet of the root README runs', () => {
  const [snippet] = readReadme('.').snippets;
  const file = join(root, 'tests/readme/.snippet.ts');
  writeFileSync(file, snippet!);
  const args = ['--conditions=@frugal/source', '--import', 'tsx', file];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  rmSync(file);
  expect(status, `${stdout}\n${stderr}`).toBe(0);
});
