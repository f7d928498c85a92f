import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LibtensorflowError } from '../errors.ts';
import type { Target } from './platform.ts';
import { type Ended, lastLines, type System } from './system.ts';

const FIX_PYTHON =
  'Install Python 3 with pip (Debian: apt-get install python3 python3-pip), or give a wheel: --wheel FILE.';

/** A Python that works. */
export async function findPython(system: System): Promise<string> {
  const given = system.env['PYTHON'];
  for (const name of given === undefined ? ['python3', 'python'] : [given]) {
    const { code } = await system.run(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))']);
    if (code === 0) return name;
  }
  const what =
    given === undefined ? 'There is no Python 3.8 or newer.' : `'${given}' (from PYTHON) is no Python 3.8 or newer.`;
  throw new LibtensorflowError('NO_PYTHON', what, FIX_PYTHON);
}

/** A Python with pip. */
export async function findPip(system: System): Promise<string> {
  const python = await findPython(system);
  const { code } = await system.run(python, ['-m', 'pip', '--version']);
  if (code === 0) return python;
  throw new LibtensorflowError('NO_PIP', `${python} has no pip.`, FIX_PYTHON);
}

/** What pip's output means, for the user. */
function downloadError(what: string, text: string): LibtensorflowError {
  if (/No space left on device|Errno 28/.test(text)) {
    return new LibtensorflowError(
      'DISK_FULL',
      'The disk filled up during the download.',
      'Free some space and run the command again.',
    );
  }
  const network =
    /NewConnectionError|ConnectTimeout|Name or service not known|Temporary failure in name|ProxyError|SSLError/.test(
      text,
    );
  const fix = network
    ? "pip cannot reach its index: check network, proxy and pip's settings (pip config list), or fetch the wheel elsewhere and give it: --wheel FILE."
    : /No matching distribution|Could not find a version/.test(text)
      ? 'Its index does not have that version for this machine; choose another one: --tf VERSION.'
      : 'Run the command again.';
  return new LibtensorflowError('DOWNLOAD_FAILED', `pip did not get ${what}:\n${text}\n`, fix);
}

/** Is told what pip says that it does: the size of the file that it takes now; undefined when it unpacks. */
export type PipListener = (bytes: number | undefined) => void;

const UNITS: Readonly<Record<string, number>> = { bytes: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/**
 * pip, with its own settings (index, proxy).
 *
 * @param folder Also of its temporary files: there the progress can be seen, and the disk is the right one.
 */
function pip(
  system: System,
  python: string,
  args: readonly string[],
  folder: string,
  listener: PipListener,
): Promise<Ended> {
  const onLine = (line: string): void => {
    const match = /^\s*(?:Downloading|Using cached) (\S+) \(([\d.]+) (\w+)\)/.exec(line);
    if (match !== null && !match[1]!.endsWith('.metadata'))
      listener(Number(match[2]) * (UNITS[match[3]!] ?? Number.NaN));
    else if (/^Installing collected/.test(line)) listener(undefined);
  };
  const [command, ...rest] = args;
  const quiet = ['--disable-pip-version-check', '--progress-bar', 'off', '--no-deps'];
  return system.run(python, ['-m', 'pip', command!, ...quiet, ...rest], { env: { TMPDIR: folder }, onLine });
}

/** Downloads the wheel into `folder` and returns its path. */
export async function downloadWheel(
  system: System,
  python: string,
  target: Target,
  folder: string,
  listener: PipListener,
): Promise<string> {
  const what = `${target.package}==${target.version}`;
  const args = [
    ...['download', '--only-binary=:all:'],
    // The libraries do not depend on Python: any version that has wheels will do.
    ...['--implementation', 'cp', '--python-version', '3.11'],
    ...target.tags.flatMap((tag) => ['--platform', tag]),
    ...['--dest', folder, what],
  ];
  const ended = await pip(system, python, args, folder, listener);
  const file = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (ended.code !== 0 || file === undefined) throw downloadError(what, lastLines(ended));
  return join(folder, file);
}

/** Installs Python packages of shared libraries below `folder`. */
export async function installPackages(
  system: System,
  python: string,
  packages: readonly string[],
  folder: string,
  listener: PipListener,
): Promise<void> {
  const ended = await pip(system, python, ['install', '--target', folder, ...packages], folder, listener);
  if (ended.code !== 0) throw downloadError('the CUDA libraries', lastLines(ended));
}

/** TensorFlow as it is installed in Python. */
export interface PythonTensorflow {
  readonly version: string;
  /** `site-packages`. */
  readonly site: string;
  /** RECORD's text. */
  readonly record: string;
  readonly distribution: string;
}

const ASK = `
import json, importlib.metadata as m
for name in ('tensorflow', 'tensorflow-cpu', 'tensorflow_cpu'):
    try: d = m.distribution(name)
    except m.PackageNotFoundError: continue
    print(json.dumps({'version': d.version, 'site': str(d.locate_file('')), 'record': d.read_text('RECORD'), 'distribution': name}))
    break
`;

/** Asks Python for its TensorFlow, without importing it. */
export async function findInPython(system: System): Promise<PythonTensorflow> {
  const python = await findPython(system);
  const ended = await system.run(python, ['-c', ASK]);
  const line = ended.stdout.trim().split('\n').at(-1) ?? '';
  if (ended.code === 0 && line.startsWith('{')) return JSON.parse(line) as PythonTensorflow;
  throw new LibtensorflowError(
    'NOT_IN_PYTHON',
    `${python} has no TensorFlow installed.`,
    `Run '${python} -m pip install tensorflow-cpu', or leave --from-python out.`,
  );
}
