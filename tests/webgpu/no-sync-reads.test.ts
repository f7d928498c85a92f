// Library code never reads a tensor synchronously: WebGPU cannot, and on tensors that were not read it throws.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@frugal/test-support';
import { expect, it } from 'vitest';

/** `x.dataSync()`, `.arraySync()`, `.bufferSync()`, `.print()`, and the ones of tfjs that read behind a name. */
const READ = /\.(dataSync|arraySync|bufferSync|readSync)\s*\(|\.print\(\s*\)|\btf\.print\(/;

/** The hook that tells interpreters of reads, and the guard that refuses them. */
const ALLOWED = ['packages/tensor/src/interpret/hook.ts', 'packages/webgpu/src/start/guard.ts'];

/** Every source file in the folders of a folder, without tests and what is installed or built. */
function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return /^(node_modules|dist|generated)$/.test(entry.name) ? [] : sources(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

it('recognises a read', () => {
  const reads = ['x.dataSync()', 'tf.print(x)', 'x.print()', 'y.z.arraySync ()'];
  expect(reads.filter((line) => !READ.test(line))).toEqual([]);
  expect(READ.test('await x.data(); readSync: true; io.print(text)')).toBe(false);
});

it('finds none in packages and examples', () => {
  const files = [...sources('packages'), ...sources('examples')].filter((file) => !ALLOWED.includes(file));
  expect(files.length).toBeGreaterThan(300);
  const found = files.flatMap((file) =>
    readFileSync(join(root, file), 'utf8')
      .split('\n')
      .flatMap((line, i) =>
        READ.test(line) && !/^\s*(\*|\/\/)/.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [],
      ),
  );
  expect(found).toEqual([]);
});
