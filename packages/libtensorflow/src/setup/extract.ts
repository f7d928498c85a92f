import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { LibtensorflowError } from '../errors.ts';
import { LIBRARIES } from './platform.ts';
import type { PythonTensorflow } from './python.ts';
import { isNeededHeader, parseRecord } from './record.ts';
import { badWheel, openWheel } from './wheel.ts';

/** Where a file of the wheel goes in an installation; undefined if it is not needed. */
function placeOf(path: string): string | undefined {
  if (LIBRARIES.some((name) => path === `tensorflow/${name}`)) return join('lib', basename(path));
  return isNeededHeader(path) ? path.slice('tensorflow/'.length) : undefined;
}

function lacking(where: string): LibtensorflowError {
  return new LibtensorflowError(
    'BAD_WHEEL',
    `${where} has no ${LIBRARIES[0]} or no C headers.`,
    'Give a Linux wheel of tensorflow or tensorflow-cpu, 2.15 or newer.',
  );
}

/** What a wheel's file name says of it. */
export function readWheelName(path: string): { package: string; version: string; tags: string } {
  const match = /^(tensorflow(?:_cpu)?)-(\d+\.\d+\.\d+)-(.+)\.whl$/.exec(basename(path));
  if (match !== null) return { package: match[1]!.replace('_', '-'), version: match[2]!, tags: match[3]! };
  throw new LibtensorflowError(
    'BAD_WHEEL',
    `'${basename(path)}' is not the name of a TensorFlow wheel.`,
    'Keep the name it was published with, such as tensorflow_cpu-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl.',
  );
}

/**
 * Takes libraries and headers out of a wheel, each checked against the sha256 in its RECORD.
 *
 * @throws {LibtensorflowError} `BAD_WHEEL` if it is torn, lacks something, or a sum differs.
 */
export async function extractWheel(
  path: string,
  folder: string,
  progress: (done: number, total: number) => void,
): Promise<void> {
  const wheel = await openWheel(path);
  try {
    const record = [...wheel.entries.values()].find(({ name }) => /^tensorflow[^/]*\.dist-info\/RECORD$/.test(name));
    if (record === undefined) throw badWheel(path, 'has no RECORD');
    const sums = parseRecord(await wheel.text(record));
    const wanted = [...wheel.entries.values()].filter(({ name }) => placeOf(name) !== undefined);
    if (wanted.filter(({ name }) => name.endsWith('.so.2')).length < LIBRARIES.length || wanted.length < 10) {
      throw lacking(basename(path));
    }
    const total = wanted.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    for (const entry of wanted) {
      const sum = await wheel.extract(entry, join(folder, placeOf(entry.name)!), (bytes) =>
        progress(done + bytes, total),
      );
      if (sum !== sums.get(entry.name))
        throw badWheel(path, `is damaged: ${entry.name} has another sha256 than in RECORD`);
      done += entry.size;
    }
  } finally {
    await wheel.close();
  }
}

async function sumOf(path: string, progress: (bytes: number) => void): Promise<string> {
  const sum = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), async (stream: AsyncIterable<Buffer>) => {
    for await (const chunk of stream) {
      sum.update(chunk);
      progress(chunk.length);
    }
  });
  return sum.digest('base64url');
}

/**
 * Links the libraries of Python's TensorFlow, after checking them against its RECORD, and copies the headers.
 *
 * @throws {LibtensorflowError} `BAD_WHEEL` if a file is missing or differs.
 */
export async function linkPython(
  { record, site, distribution }: PythonTensorflow,
  folder: string,
  progress: (done: number, total: number) => void,
): Promise<void> {
  const sums = parseRecord(record);
  const wanted = [...sums.keys()].filter((path) => placeOf(path) !== undefined);
  if (wanted.filter((path) => path.endsWith('.so.2')).length < LIBRARIES.length)
    throw lacking(`Python's ${distribution}`);
  const sizes = await Promise.all(
    wanted.map(async (path) => (await stat(join(site, path)).catch(() => ({ size: 0 }))).size),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  for (const path of wanted) {
    const from = join(site, path);
    const sum = await sumOf(from, (bytes) => {
      done += bytes;
      progress(done, total);
    }).catch(() => undefined);
    if (sum !== sums.get(path)) {
      throw new LibtensorflowError(
        'BAD_WHEEL',
        `${from} ${sum === undefined ? 'is missing' : 'differs from its RECORD'}.`,
        `Reinstall it: python3 -m pip install --force-reinstall ${distribution}.`,
      );
    }
    const to = join(folder, placeOf(path)!);
    await mkdir(dirname(to), { recursive: true });
    if (path.endsWith('.so.2')) await symlink(from, to);
    else await copyFile(from, to);
  }
}
