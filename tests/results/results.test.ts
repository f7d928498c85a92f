import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@frugal/test-support';
import { describe, expect, it } from 'vitest';

const files = ['benchmarks/results', 'runs/results'].flatMap((folder) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((file) => file.endsWith('.json'))
        .map((file) => join(folder, file))
    : [],
);

interface Result {
  name: string;
  commit: string;
  machine: string;
  date: string;
  command: string;
  figures: Record<string, number>;
}

/** The file whose run wrote a result. */
function source(file: string, name: string): string {
  if (name.startsWith('gpu-')) return join(root, 'runs/gpu-card.sh');
  return file.startsWith('benchmarks') ? join(root, 'benchmarks', `${name}.ts`) : join(root, 'runs', `${name}.sh`);
}

const shallow =
  spawnSync('git', ['rev-parse', '--is-shallow-repository'], { cwd: root, encoding: 'utf8' }).stdout.trim() !== 'false';

describe.skipIf(files.length === 0)('committed results', () => {
  it.each(files)('%s is re-runnable', (file) => {
    const result = JSON.parse(readFileSync(join(root, file), 'utf8')) as Result;
    expect(file.endsWith(`${result.name}.json`)).toBe(true);
    expect(result).toMatchObject({
      commit: expect.stringMatching(/^[0-9a-f]{7,40}$/),
      machine: expect.any(String),
      command: expect.any(String),
    });
    expect(Number.isNaN(Date.parse(result.date))).toBe(false);
    expect(Object.values(result.figures).every(Number.isFinite), 'every figure is a number').toBe(true);
    expect(Object.keys(result.figures).length).toBeGreaterThan(0);
    expect(existsSync(source(file, result.name)), 'the program behind the result').toBe(true);
    const ancestor = spawnSync('git', ['merge-base', '--is-ancestor', result.commit, 'HEAD'], { cwd: root });
    if (!shallow) expect(ancestor.status, `${result.commit} is an ancestor of HEAD`).toBe(0);
  });
});
