import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { chooseInstallation, listInstallations } from '../cache/installation.ts';
import { findTfjsNode } from '../load/find-tfjs-node.ts';
import {
  type Fake,
  fake,
  GOOD,
  recordOf,
  silent,
  WHEEL_FILES,
  wheelFile,
  wheelOf,
  write,
  zip,
} from '../testing/fakes.ts';
import { main } from './cli.ts';
import { install } from './install.ts';
import { openWheel } from './wheel.ts';

/** What the command says on a faked machine, with status 1; nothing may be left in its cache. */
async function failure(what: Fake): Promise<{ code: string; message: string }> {
  const { system, options, cache } = fake(what);
  let said = '';
  const console = vi.spyOn(globalThis.console, 'error').mockImplementation((text: string) => {
    said += text;
  });
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const status = await main(
    [
      ...(options.gpu ? ['--gpu'] : []),
      ...(options.version === undefined ? [] : ['--tf', options.version]),
      ...(options.wheel === undefined ? [] : ['--wheel', options.wheel]),
    ],
    options.program,
    system,
  ).finally(() => {
    console.mockRestore();
    stderr.mockRestore();
  });
  expect(status, said).toBe(1);
  expect(existsSync(cache) ? readdirSync(cache) : [], 'what is left in the cache').toEqual([]);
  const [code, ...rest] = said.split(': ');
  return { code: code!, message: rest.join(': ').replaceAll('\n', ' ') };
}

const python = (pip: string): Record<string, string> => ({
  ...GOOD,
  python3: `case "$*" in *version_info*|*--version*) exit 0;; *) ${pip};; esac`,
});
const wheel = wheelFile();

describe('set-up from a wheel', () => {
  it('puts checked libraries, headers and the binding into the cache, in one step', async () => {
    const { system, options, cache, left } = fake({ options: { wheel } });
    const { already, installation } = await install(system, options, silent);
    expect(already).toBe(false);
    expect(left()).toEqual(['2.21.0']);
    expect(installation).toMatchObject({ name: '2.21.0', tensorflow: '2.21.0', gpu: false, damage: undefined });
    const { files } = JSON.parse(readFileSync(join(cache, '2.21.0/installation.json'), 'utf8')) as { files: object };
    expect(Object.keys(files)).toEqual([
      'tfjs_binding.node',
      'lib/libtensorflow_cc.so.2',
      'lib/libtensorflow_framework.so.2',
    ]);
    expect(readFileSync(join(cache, '2.21.0/lib/libtensorflow_cc.so.2'), 'utf8')).toBe(
      WHEEL_FILES['tensorflow/libtensorflow_cc.so.2'],
    );
    expect(readFileSync(join(cache, '2.21.0/include/tensorflow/c/eager/c_api.h'), 'utf8')).toBe('// eager');
    expect((await install(system, options, silent)).already).toBe(true);
  });

  it('sets a damaged one up anew, and refuses to load it before', async () => {
    const { system, options, cache } = fake({ options: { wheel } });
    await install(system, options, silent);
    truncateSync(join(cache, '2.21.0/lib/libtensorflow_cc.so.2'), 1000);
    // Loading it would end the process with SIGBUS.
    expect(() => chooseInstallation({}, system.env)).toThrow(
      /damaged: lib\/libtensorflow_cc.so.2 has 1000 bytes instead of 220000.*npx @frugal\/libtensorflow --tf 2.21.0' again/,
    );
    expect((await install(system, options, silent)).already).toBe(false);
    expect(chooseInstallation({}, system.env).damage).toBeUndefined();
  });

  it('survives a reinstall, and another version of this package compiles its binding anew without fetching', async () => {
    const { system, options, cache } = fake({ options: { wheel } });
    const { installation } = await install(system, options, silent);
    rmSync(join(options.from, 'node_modules'), { recursive: true });
    expect(chooseInstallation({}, system.env).damage).toBeUndefined();
    write(options.from, 'node_modules/@tensorflow/tfjs-node/package.json', '{"version":"4.22.0"}');
    expect((await install(system, options, silent)).already).toBe(true);

    const library = join(cache, '2.21.0/lib/libtensorflow_cc.so.2');
    const { ino } = statSync(library);
    const { files, tensorflow } = installation;
    const manifest = { format: 1, tensorflow, gpu: false, source: 'a wheel', native: 'of another version', files };
    write(cache, '2.21.0/installation.json', JSON.stringify(manifest));
    const anew = await install(system, { ...options, wheel: undefined }, silent);
    expect([anew.already, anew.installation.source, statSync(library).ino]).toEqual([false, 'a wheel', ino]);
  });

  it('keeps versions side by side and chooses by version, build and environment', async () => {
    const { system, options } = fake({ options: { wheel } });
    await install(system, options, silent);
    const older = wheelFile(wheelOf(), 'tensorflow_cpu-2.9.1-cp310-cp310-manylinux_2_17_x86_64.whl');
    await expect(install(system, { ...options, wheel: older }, silent)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' });
    const cache = system.env['FRUGAL_LIBTF_CACHE']!;
    for (const [name, gpu] of [
      ['2.18.1', false],
      ['2.18.1-gpu', true],
    ] as const) {
      write(cache, `${name}/installation.json`, JSON.stringify({ format: 1, tensorflow: '2.18.1', gpu, files: {} }));
    }
    expect(listInstallations(cache).map(({ name }) => name)).toEqual(['2.18.1-gpu', '2.21.0', '2.18.1']);
    expect(chooseInstallation({ gpu: false }, system.env).name).toBe('2.21.0');
    expect(chooseInstallation({ version: '2.18.1', gpu: false }, system.env).name).toBe('2.18.1');
    expect(chooseInstallation({}, { ...system.env, FRUGAL_LIBTF_VERSION: '2.18.1' }).name).toBe('2.18.1');
    expect(() => chooseInstallation({ version: '2.20.0' }, system.env)).toThrow(
      /2.20.0 is not set up in .* \(2.18.1-gpu, 2.21.0, 2.18.1 are\). Run 'npx @frugal\/libtensorflow --tf 2.20.0'/,
    );
  });

  it.each([
    ['torn', wheelOf().subarray(0, 5000), /no whole wheel.*Download it again/],
    ['empty', Buffer.alloc(0), /no whole wheel/],
    ['altered', wheelOf({ ...WHEEL_FILES }).fill('x', 400, 402), /damaged inside|another sha256|ends too early/],
    ['without libraries', wheelOf({ 'tensorflow/a.py': '' }), /no libtensorflow_cc.so.2 or no C headers/],
    ['without RECORD', zip({ ...WHEEL_FILES }), /no RECORD/],
    [
      'of other sums',
      zip({
        ...WHEEL_FILES,
        'tensorflow_cpu-2.21.0.dist-info/RECORD': recordOf({
          ...WHEEL_FILES,
          'tensorflow/libtensorflow_cc.so.2': 'other',
        }),
      }),
      /libtensorflow_cc.so.2 has another sha256 than in RECORD.*Download it again/,
    ],
  ])('names a wheel that is %s', async (_, data, message) => {
    const error = await failure({ options: { wheel: wheelFile(data) } });
    expect(error.code).toBe('BAD_WHEEL');
    expect(error.message).toMatch(message);
  });

  it('refuses files that are no wheel, not there, or for other machines', async () => {
    expect((await failure({ options: { wheel: '/nowhere/thing.zip' } })).message).toMatch(
      /not the name of a TensorFlow wheel/,
    );
    const gone = '/nowhere/tensorflow_cpu-2.21.0-cp312-cp312-manylinux_2_27_x86_64.whl';
    expect((await failure({ options: { wheel: gone } })).message).toMatch(/cannot be read/);
    const arm = wheelFile(wheelOf(), 'tensorflow-2.21.0-cp312-cp312-manylinux_2_27_aarch64.whl');
    expect((await failure({ options: { wheel: arm } })).message).toMatch(/Give one for x86_64 and Linux/);
  });
});

describe('what is missing is named', () => {
  it.each<[string, Fake, string, RegExp]>([
    ['Python', {}, 'NO_PYTHON', /no Python 3.8.*apt-get install python3.*--wheel FILE/],
    ['the Python that PYTHON names', { env: { PYTHON: '/no/python' } }, 'NO_PYTHON', /'\/no\/python' \(from PYTHON\)/],
    [
      'pip',
      { scripts: { ...GOOD, python3: 'case "$*" in *pip*) exit 1;; esac' } },
      'NO_PIP',
      /python3 has no pip.*python3-pip/,
    ],
    [
      'the network',
      { scripts: python('echo "NewConnectionError: Name or service not known" >&2; exit 1') },
      'DOWNLOAD_FAILED',
      /Name or service not known[\s\S]*pip cannot reach its index.*proxy.*--wheel FILE/,
    ],
    [
      'the version in the index',
      { scripts: python('echo "ERROR: No matching distribution found for tensorflow-cpu==2.21.0" >&2; exit 1') },
      'DOWNLOAD_FAILED',
      /choose another one: --tf VERSION/,
    ],
    [
      'space during the download',
      { scripts: python('echo "OSError: [Errno 28] No space left on device" >&2; exit 1') },
      'DISK_FULL',
      /disk filled up/,
    ],
    ['a compiler', { scripts: {}, options: { wheel } }, 'NO_COMPILER', /no C\+\+ compiler.*apt-get install g\+\+/],
    [
      'the compiler that CXX names',
      { env: { CXX: 'clang++-99' }, options: { wheel } },
      'NO_COMPILER',
      /'clang\+\+-99' \(from CXX\)/,
    ],
    [
      'what the compiler lacks',
      {
        scripts: {
          'g++': 'case "$*" in --version) exit 0;; esac; echo "fatal error: thread: No such file" >&2; exit 1',
        },
        options: { wheel },
      },
      'COMPILE_FAILED',
      /fatal error: thread: No such file[\s\S]*needs C\+\+17/,
    ],
    [
      'space for the binding',
      {
        scripts: { 'g++': 'case "$*" in --version) exit 0;; esac; echo "No space left on device" >&2; exit 1' },
        options: { wheel },
      },
      'DISK_FULL',
      /while the binding was compiled/,
    ],
    [
      'space',
      { free: 100 * 2 ** 20, options: { wheel } },
      'DISK_FULL',
      /needs 900 MiB in .*, 100 MiB are free.*--clean.*FRUGAL_LIBTF_CACHE/,
    ],
    [
      'glibc',
      { machine: { platform: 'linux', arch: 'x64', glibc: undefined } },
      'UNSUPPORTED_PLATFORM',
      /musl.*node:22-bookworm-slim.*@frugal\/wasm/,
    ],
    [
      'a new glibc',
      { machine: { platform: 'linux', arch: 'x64', glibc: '2.17' } },
      'UNSUPPORTED_PLATFORM',
      /needs glibc 2.27.*has 2.17.*--tf 2.20.0/,
    ],
    [
      'Linux',
      { machine: { platform: 'darwin', arch: 'arm64', glibc: undefined } },
      'UNSUPPORTED_PLATFORM',
      /this is darwin on arm64.*Linux container/,
    ],
    [
      'a known processor',
      { machine: { platform: 'linux', arch: 'riscv64', glibc: '2.39' } },
      'UNSUPPORTED_PLATFORM',
      /riscv64.*@frugal\/wasm/,
    ],
    [
      'a GPU build for arm',
      { machine: { platform: 'linux', arch: 'arm64', glibc: '2.39' }, options: { gpu: true } },
      'UNSUPPORTED_PLATFORM',
      /only on x64/,
    ],
    ['a version that is supported', { options: { version: '2.9.1' } }, 'BAD_ARGUMENT', /from 2.15.0 on/],
  ])('%s', async (_, what, code, message) => {
    const error = await failure(what);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
  });

  it('tfjs-node', () => {
    expect(() => findTfjsNode('/', false, '/')).toThrow(/npm install --ignore-scripts @tensorflow\/tfjs-node/);
  });

  it.each<[string, string, RegExp]>([
    [
      'a torn library, which ends the process',
      'process.kill(process.pid, "SIGBUS")',
      /ended by SIGBUS: a library is torn/,
    ],
    [
      'libraries of two versions',
      'throw new Error("undefined symbol: _ZN4llvm4Pass13releaseMemoryEv")',
      /of different versions/,
    ],
    [
      'a library that is not found',
      'throw new Error("libtensorflow_cc.so.2: cannot open shared object file")',
      /A library is missing/,
    ],
    ['an old C++ runtime', 'throw new Error("version `GLIBCXX_3.4.29\' not found")', /C\+\+ runtime is older/],
    ['a silent end', '', /does not compute/],
  ])('%s shows in the proof', async (_, proof, message) => {
    const error = await failure({ proof, options: { wheel } });
    expect(error.code).toBe('PROOF_FAILED');
    expect(error.message).toMatch(message);
  });
});

describe('the cache', () => {
  it('on a disk that fills up while files are written', async () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const { system, options, left } = fake({ options: { wheel } });
    const fills = (text: string): void => {
      if (text.startsWith('Compiling')) throw full;
    };
    await expect(install(system, options, { ...silent, step: fills })).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(/The disk of .* filled up. Free some space/),
    });
    expect(left()).toEqual([]);
    // What a full disk answers in the middle of a file is not taken for a damaged wheel.
    const { entries, extract, close } = await openWheel(wheel);
    await expect(extract([...entries.values()][0]!, '/dev/full')).rejects.toMatchObject({ code: 'ENOSPC' });
    await close();
  });

  it('that cannot be written', async () => {
    const { system, options } = fake({ options: { wheel } });
    const file = write(options.from, 'file', '');
    const there = { ...system, env: { FRUGAL_LIBTF_CACHE: join(file, 'cache') } };
    await expect(install(there, options, silent)).rejects.toMatchObject({
      code: 'NOT_WRITABLE',
      message: expect.stringMatching(/cannot be written \(ENOTDIR\).*FRUGAL_LIBTF_CACHE=\/folder/),
    });
  });
});

describe('locks', () => {
  it('one process at a time works on a version; the lock of a dead one is taken over', async () => {
    const { system, options, cache } = fake({ options: { wheel } });
    mkdirSync(join(cache, '.2.21.0.lock'), { recursive: true });
    writeFileSync(join(cache, '.2.21.0.lock/pid'), String(process.pid));
    await expect(install(system, options, silent)).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(`Process ${process.pid} is setting up 2.21.0`),
    });
    writeFileSync(join(cache, '.2.21.0.lock/pid'), '4194305');
    mkdirSync(join(cache, '.2.18.1.tmp4194305'));
    expect((await install(system, options, silent)).already).toBe(false);
    expect(listInstallations(cache)).toHaveLength(1);
    expect(() => lstatSync(join(cache, '.2.18.1.tmp4194305')), 'what a dead process left').toThrow();
  });
});
