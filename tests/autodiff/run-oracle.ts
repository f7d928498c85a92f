import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Runs a script of this folder in a process of its own and returns the JSON that it writes. */
export async function runOracle<T>(script: string, ...args: string[]): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'frugal-oracle-'));
  const file = join(folder, 'report.json');
  try {
    const path = fileURLToPath(new URL(script, import.meta.url));
    await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--conditions=@frugal/source', path, ...args, file],
      { maxBuffer: 2 ** 26 },
    );
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
