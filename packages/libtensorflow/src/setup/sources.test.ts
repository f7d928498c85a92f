// The ways to a TensorFlow that need Python: pip's index, an installed package, CUDA's libraries. Python is a script here.
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { chooseInstallation } from '../cache/installation.ts';
import { fake, GOOD, recordOf, silent, WHEEL_FILES, WHEEL_NAME, wheelFile, wheelOf, write } from '../testing/fakes.ts';
import { cudaPackages } from './gpu.ts';
import { install } from './install.ts';

// Each set-up starts a dozen programs.
vi.setConfig({ testTimeout: 120_000 });

const folder = (): string => mkdtempSync(join(tmpdir(), 'frugal-python-'));

/** A python3 that answers questions for its version and pip's, and does this otherwise. */
const python = (script: string): Record<string, string> => ({
  ...GOOD,
  python3: `case "$*" in *version_info*|*"pip --version"*) exit 0;; esac\n${script}`,
});

describe("from pip's index", () => {
  /** A pip that downloads this file, and notes what it was asked for. */
  function index(data: Buffer): { scripts: Record<string, string>; asked(): string } {
    const [file, note] = [wheelFile(data), join(folder(), 'asked')];
    const url = 'https://index/tensorflow.whl';
    // As pip says it; the progress is looked at twice a second.
    const says = `echo "Downloading ${url}.metadata (4.1 kB)"; echo "  Downloading ${url} (0.5 MB)"; /bin/sleep 0.7`;
    const script = `echo "$*" >> ${note}\n${says}\nwhile [ $# -gt 1 ]; do [ "$1" = --dest ] && /bin/cp ${file} "$2"; shift; done`;
    return { scripts: python(script), asked: () => readFileSync(note, 'utf8') };
  }

  it("asks for every platform tag and leaves pip's settings alone", async () => {
    const { scripts, asked } = index(wheelOf());
    const { system, options, left } = fake({ scripts });
    const steps: string[] = [];
    const shown: [number, number | undefined][][] = [];
    const progress = {
      step: (text: string) => void (steps.push(text), shown.push([])),
      bytes: (done: number, total?: number) => void shown.at(-1)!.push([done, total]),
    };
    const { installation } = await install(system, options, progress);
    expect(left()).toEqual(['2.21.0']);
    expect(readdirSync(installation.folder).sort()).toEqual([
      'include',
      'installation.json',
      'lib',
      'tfjs_binding.node',
    ]);
    for (const tag of ['manylinux_2_17', 'manylinux2014', 'manylinux_2_27', 'manylinux_2_28']) {
      expect(asked()).toContain(`--platform ${tag}_x86_64`);
    }
    expect(asked()).toMatch(/pip download .*--no-deps --only-binary=:all: .*tensorflow-cpu==2.21.0\n$/);
    expect(asked()).not.toMatch(/index|proxy|cert/);
    expect(steps.map((text) => text.split(' ')[0])).toEqual(['Downloading', 'Extracting', 'Compiling', 'Proving']);
    const [downloaded, extracted] = shown as [(typeof shown)[0], (typeof shown)[0]];
    expect(downloaded).toContainEqual([0, 500_000]);
    const shares = extracted.map(([done, total]) => done / total!);
    expect(shares.at(-1)).toBe(1);
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
  });

  it('a torn download leaves nothing', async () => {
    const { system, options, left } = fake({ scripts: index(wheelOf().subarray(0, 5000)).scripts });
    await expect(install(system, options, silent)).rejects.toMatchObject({
      code: 'BAD_WHEEL',
      message: expect.stringMatching(/no whole wheel.*Download it again/),
    });
    expect(left()).toEqual([]);
  });
});

/** site-packages with a TensorFlow of these files, and the python3 that has it. */
function site(distribution = 'tensorflow', record = recordOf(WHEEL_FILES)): [string, Record<string, string>] {
  const at = folder();
  for (const [name, text] of Object.entries(WHEEL_FILES)) write(at, name, text);
  const answer = write(at, 'answer.json', JSON.stringify({ version: '2.21.0', site: at, record, distribution }));
  return [at, python(`/bin/cat ${answer}`)];
}

describe("from Python's TensorFlow", () => {
  const fromPython = { fromPython: true };
  const cc = 'tensorflow/libtensorflow_cc.so.2';

  it('links the libraries, checked, and needs no network', async () => {
    const [at, scripts] = site();
    const { system, options, left } = fake({ scripts, options: fromPython, free: 100 * 2 ** 20 });
    const { installation } = await install(system, options, silent);
    expect(left()).toEqual(['2.21.0']);
    expect(realpathSync(join(installation.folder, 'lib/libtensorflow_cc.so.2'))).toBe(realpathSync(join(at, cc)));
    expect(existsSync(join(installation.folder, 'include/tensorflow/c/eager/c_api.h'))).toBe(true);
    expect(installation.source).toBe(`Python's tensorflow in ${at}`);
    // Python's package changes, or goes: told before it is loaded.
    truncateSync(join(at, cc), 10);
    expect(() => chooseInstallation({}, system.env)).toThrow(/damaged: lib\/libtensorflow_cc.so.2 has 10 bytes/);
    rmSync(join(at, cc));
    expect(() => chooseInstallation({}, system.env)).toThrow(/damaged: lib\/libtensorflow_cc.so.2 is missing/);
  });

  it.each<[string, (at: string) => void, RegExp]>([
    [
      'altered',
      (at) => write(at, cc, 'other'),
      /libtensorflow_cc.so.2 differs from its RECORD.*--force-reinstall tensorflow/,
    ],
    ['missing', (at) => rmSync(join(at, cc)), /libtensorflow_cc.so.2 is missing.*--force-reinstall tensorflow/],
  ])('names a library that is %s', async (_, change, message) => {
    const [at, scripts] = site();
    change(at);
    const { system, options, left } = fake({ scripts, options: fromPython });
    await expect(install(system, options, silent)).rejects.toThrow(message);
    expect(left()).toEqual([]);
  });

  it('says what Python lacks', async () => {
    const none = fake({ scripts: python('exit 0'), options: fromPython });
    await expect(install(none.system, none.options, silent)).rejects.toMatchObject({
      code: 'NOT_IN_PYTHON',
      message: expect.stringMatching(/python3 has no TensorFlow.*pip install tensorflow-cpu.*leave --from-python out/),
    });
    const other = fake({ scripts: site('tensorflow', 'tensorflow/a.py,sha256=x,1\n')[1], options: fromPython });
    await expect(install(other.system, other.options, silent)).rejects.toThrow(
      /no libtensorflow_cc.so.2 or no C headers/,
    );
    const cpu = fake({ scripts: site('tensorflow-cpu')[1], options: { ...fromPython, gpu: true } });
    await expect(install(cpu.system, cpu.options, silent)).rejects.toThrow(
      /Python's TensorFlow is tensorflow-cpu, which uses no GPU.*leave --gpu out/,
    );
    const newer = fake({ scripts: site()[1], options: { ...fromPython, version: '2.20.0' } });
    await expect(install(newer.system, newer.options, silent)).rejects.toThrow(/is 2.21.0, not 2.20.0/);
  });
});

describe('CUDA', () => {
  const libraries = [
    'cudart.so.12',
    'cublas.so.12',
    'cublasLt.so.12',
    'cufft.so.11',
    'cusolver.so.11',
    'cusparse.so.12',
  ];
  const names = [...libraries, 'cudnn.so.9'].map((name) => `lib${name}`);
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  /** Some library that opens. */
  const any = sharedObjects.find((path) => /\/lib(m|dl|pthread)[.-]/.test(path))!;
  const note = (): string => join(folder(), 'asked');

  /** A pip that installs them, and notes that it did. */
  const installs = (log: string): string => `echo "$*" >> ${log}
while [ $# -gt 1 ]; do if [ "$1" = --target ]; then
  /bin/mkdir -p "$2/nvidia/cuda/lib"; for name in ${names.join(' ')}; do /bin/cp ${any} "$2/nvidia/cuda/lib/$name"; done
fi; shift; done`;
  const wheel = wheelFile(wheelOf(), WHEEL_NAME.replace('_cpu', ''));

  it("are put where TensorFlow's RUNPATH looks, and fetched again where one is missing", async () => {
    const log = note();
    const { system, options, left } = fake({ scripts: python(installs(log)), options: { gpu: true, wheel } });
    const { installation } = await install(system, options, silent);
    expect(left()).toEqual(['2.21.0-gpu']);
    expect(readFileSync(log, 'utf8')).toContain(`--no-deps --target`);
    for (const one of cudaPackages('2.21.0')) expect(readFileSync(log, 'utf8')).toContain(one);
    expect((await install(system, options, silent)).already).toBe(true);

    const kept = statSync(join(installation.folder, 'lib/libtensorflow_cc.so.2')).ino;
    rmSync(join(installation.folder, 'nvidia/cuda/lib/libcufft.so.11'));
    expect((await install(system, options, silent)).already).toBe(false);
    expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(2);
    expect(existsSync(join(installation.folder, 'nvidia/cuda/lib/libcufft.so.11'))).toBe(true);
    expect(statSync(join(installation.folder, 'lib/libtensorflow_cc.so.2')).ino).toBe(kept);
    expect(left()).toEqual(['2.21.0-gpu']);
  });

  it('of Python are linked where they are whole, and its folder is never written', async () => {
    const [at, scripts] = site();
    for (const name of names.slice(1)) copyFileSync(any, write(at, `nvidia/cuda/lib/${name}`, ''));
    const log = note();
    const all = {
      ...scripts,
      python3: `${scripts['python3']!.replace('/bin/cat', '[ $2 = pip ] || exec /bin/cat')}\n${installs(log)}`,
    };
    const { system, options, cache } = fake({ scripts: all, options: { gpu: true, fromPython: true } });
    await install(system, options, silent);
    expect(lstatSync(join(cache, '2.21.0-gpu/nvidia')).isSymbolicLink()).toBe(false);
    expect(readdirSync(join(cache, '2.21.0-gpu/nvidia/cuda/lib')).sort()).toEqual([...names].sort());
    expect(readdirSync(join(at, 'nvidia/cuda/lib'))).toHaveLength(names.length - 1);

    copyFileSync(any, write(at, `nvidia/cuda/lib/${names[0]}`, ''));
    rmSync(join(cache, '2.21.0-gpu'), { recursive: true });
    await install(system, options, silent);
    expect(realpathSync(join(cache, '2.21.0-gpu/nvidia'))).toBe(realpathSync(join(at, 'nvidia')));
    expect(readFileSync(log, 'utf8').trim().split('\n'), 'calls of pip').toHaveLength(1);
    expect((await install(system, options, silent)).already).toBe(true);
  });

  it('that pip does not get leave nothing, and a CPU wheel is no GPU build', async () => {
    const failing = python('echo "ERROR: No matching distribution found for nvidia-cublas-cu12" >&2; exit 1');
    const one = fake({ scripts: failing, options: { gpu: true, wheel } });
    await expect(install(one.system, one.options, silent)).rejects.toThrow(/pip did not get the CUDA libraries/);
    expect(one.left()).toEqual([]);
    const two = fake({ scripts: failing, options: { gpu: true, wheel: wheelFile() } });
    await expect(install(two.system, two.options, silent)).rejects.toThrow(/is tensorflow-cpu, which uses no GPU/);
    const three = fake({ scripts: failing, free: 2 ** 30, options: { gpu: true, wheel } });
    await expect(install(three.system, three.options, silent)).rejects.toThrow(
      /needs 8800 MiB in .*, 1024 MiB are free/,
    );
  });
});
