import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@frugal/test-support';
import { describe, expect, it } from 'vitest';

const names = readdirSync(join(root, 'examples')).filter((name) => existsSync(join(root, 'examples', name, 'main.ts')));

describe('examples reach their target', () => {
  it.each(names)('%s --quick', (name) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/example.mjs', name, '--quick'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
  });
});
