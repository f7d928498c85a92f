import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '@frugal/test-support';
import { describe, expect, it } from 'vitest';

const names = readdirSync(join(root, 'examples')).filter((name) => existsSync(join(root, 'examples', name, 'main.ts')));

// Two at a time (vitest.config.ts): an example keeps a core busy, with gaps for reading data and starting up.
describe('examples reach their target', () => {
  it.concurrent.each(names)('%s --quick', async (name) => {
    const run = promisify(execFile)(process.execPath, ['scripts/example.mjs', name, '--quick'], { cwd: root });
    await expect(
      run.then(
        () => 0,
        ({ code, stdout, stderr }) => `exit ${code}\n${stdout}\n${stderr}`,
      ),
    ).resolves.toBe(0);
  });
});
