// A machine, a wheel and a project that are not there, for the tests of the set-up.
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateRawSync, crc32 as zlibCrc32 } from 'node:zlib';
import type { InstallOptions } from '../setup/install.ts';
import type { Machine } from '../setup/platform.ts';
import { type System, thisSystem } from '../setup/system.ts';

/** Files of a small wheel. */
export const WHEEL_FILES: Readonly<Record<string, string>> = {
  'tensorflow/libtensorflow_cc.so.2': 'operations '.repeat(20_000),
  'tensorflow/libtensorflow_framework.so.2': 'framework '.repeat(5_000),
  'tensorflow/python/ops.py': 'not needed',
  ...Object.fromEntries(
    ['c_api', 'c_api_macros', 'tf_attrtype', 'tf_buffer', 'tf_datatype', 'tf_status', 'tf_tensor', 'tf_tstring']
      .map((name) => `tensorflow/include/tensorflow/c/${name}.h`)
      .map((path) => [path, `// ${path}`]),
  ),
  'tensorflow/include/tensorflow/c/eager/c_api.h': '// eager',
  'tensorflow/include/xla/tsl/c/tsl_status.h': '// status',
};

export const WHEEL_NAME = 'tensorflow_cpu-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl';

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('base64url');

/** RECORD of these files. */
export const recordOf = (files: Readonly<Record<string, string>>): string =>
  `${Object.entries(files)
    .map(([path, text]) => `${path},sha256=${sha256(text)},${text.length}`)
    .join('\n')}\ntensorflow_cpu-2.21.0.dist-info/RECORD,,\n`;

/** A zip of these files, every other one deflated. */
export function zip(files: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [i, [path, text]] of Object.entries(files).entries()) {
    const data = Buffer.from(text);
    const packed = i % 2 === 0 ? deflateRawSync(data) : data;
    const name = Buffer.from(path);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(i % 2 === 0 ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(data.length, 18);
    fields.writeUInt16LE(name.length, 22);
    parts.push(Buffer.from('PK\x03\x04', 'latin1'), fields, name, packed);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, tail, name);
    at += 30 + name.length + packed.length;
  }
  const table = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(table.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, table, end]);
}

/** Node 20.19 has no `zlib.crc32`; the reader checks sha256 and does not look at it. */
const crc32 = (data: Buffer): number => zlibCrc32?.(data) ?? 0;

/** A wheel of `files`, with its RECORD. */
export const wheelOf = (files: Readonly<Record<string, string>> = WHEEL_FILES): Buffer =>
  zip({ ...files, 'tensorflow_cpu-2.21.0.dist-info/RECORD': recordOf(files) });

/** Shell scripts that stand for programs. */
export const GOOD: Readonly<Record<string, string>> = {
  // Writes what stands after -o, as a compiler does.
  'g++': 'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo binding > "$2"; fi; shift; done',
};

/** A folder with programs, the only ones on the path. */
export function programs(scripts: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'frugal-bin-'));
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

export const LINUX: Machine = { platform: 'linux', arch: 'x64', glibc: '2.36' };

/** What is different about a faked machine. */
export interface Fake {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly machine?: Machine;
  readonly free?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** The script that stands for the proof; by default it succeeds. */
  readonly proof?: string;
  readonly options?: Partial<InstallOptions>;
}

/** A machine with a cache and a project of its own. */
export interface Faked {
  readonly system: System;
  readonly options: InstallOptions;
  readonly cache: string;
  /** Everything that stands in the cache, hidden or not. */
  left(): string[];
}

const PROVES = `console.log('proof: {"tensorflow":"2.21.0","usesGpu":false}')`;

/** Makes such a machine. */
export function fake({
  scripts = GOOD,
  machine = LINUX,
  free = 1e12,
  env = {},
  proof = PROVES,
  options = {},
}: Fake = {}): Faked {
  const folder = mkdtempSync(join(tmpdir(), 'frugal-set-up-'));
  const cache = join(folder, 'cache');
  write(folder, 'project/node_modules/@tensorflow/tfjs-node/package.json', '{"version":"4.22.0"}');
  write(folder, 'proof.cjs', proof);
  const path = programs(scripts);
  const real = thisSystem();
  return {
    cache,
    left: () => readdirSync(cache),
    options: {
      gpu: false,
      fromPython: false,
      from: join(folder, 'project'),
      program: [join(folder, 'proof.cjs')],
      ...options,
    },
    system: {
      machine,
      env: { ...env, FRUGAL_LIBTF_CACHE: cache },
      freeBytes: async () => free,
      run: (program, args, more = {}) => real.run(program, args, { ...more, env: { ...more.env, PATH: path } }),
    },
  };
}

/** Writes a file and the folders above it; returns its path. */
export function write(folder: string, name: string, text: string | Buffer): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

/** A folder of its own, with a wheel in it; returns the wheel's path. */
export function wheelFile(data: Buffer = wheelOf(), name: string = WHEEL_NAME): string {
  return write(mkdtempSync(join(tmpdir(), 'frugal-wheel-')), name, data);
}

/** Progress that nobody sees. */
export const silent = { step: (): void => undefined, bytes: (): void => undefined };
