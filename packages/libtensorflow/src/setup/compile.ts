import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BINDING } from '../cache/installation.ts';
import { LibtensorflowError } from '../errors.ts';
import { LIBRARIES } from './platform.ts';
import { lastLines, type System } from './system.ts';

/** Our own C++, beside `src` and `dist`. */
const native = fileURLToPath(new URL('../../native', import.meta.url));

/** A sum of our sources, by which a binding of another version of this package is known. */
export function nativeSum(): string {
  const sum = createHash('sha256');
  for (const file of readdirSync(native).sort()) sum.update(readFileSync(join(native, file)));
  return sum.digest('base64url').slice(0, 16);
}

const FIX_COMPILER =
  "Install one (Debian: 'apt-get install g++', Fedora: 'dnf install gcc-c++'), or name yours: CXX=/path/to/g++.";

/** A C++ compiler that answers. */
export async function findCompiler(system: System): Promise<string> {
  const given = system.env['CXX'];
  for (const name of given === undefined || given === '' ? ['g++', 'c++', 'clang++'] : [given]) {
    const { code } = await system.run(name, ['--version']);
    if (code === 0) return name;
  }
  const what =
    given === undefined || given === ''
      ? 'There is no C++ compiler (g++, c++, clang++).'
      : `The compiler '${given}' (from CXX) does not run.`;
  throw new LibtensorflowError('NO_COMPILER', what, FIX_COMPILER);
}

/**
 * Compiles tfjs-node's binding, with our functions beside it, by one call of the compiler.
 *
 * @param folder An installation in the making: `lib` and `include` are there, the binding is put beside them.
 * @param tfjsNode Folder of the tfjs-node whose sources are taken.
 */
export async function compileBinding(
  system: System,
  compiler: string,
  folder: string,
  tfjsNode: string,
): Promise<void> {
  const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
  const ended = await system.run(compiler, [
    // Each operation is rounded on its own (the streams of random numbers are fixed to the bit), and roots set no errno.
    ...[
      '-std=c++17',
      '-O3',
      '-ffp-contract=off',
      '-fno-math-errno',
      '-pthread',
      '-fPIC',
      '-shared',
      '-fvisibility=hidden',
    ],
    ...['-DNAPI_VERSION=8', '-I', join(headers, 'include'), '-I', join(folder, 'include')],
    ...['-I', join(tfjsNode, 'binding'), join(native, 'binding.cc'), '-o', join(folder, BINDING)],
    ...['-L', join(folder, 'lib'), ...LIBRARIES.map((name) => `-l:${name}`), '-Wl,-rpath,$ORIGIN/lib'],
  ]);
  if (ended.code === 0) return;
  const text = lastLines(ended, 12);
  if (ended.code === undefined)
    throw new LibtensorflowError('NO_COMPILER', `The compiler '${compiler}' does not run.`, FIX_COMPILER);
  if (/No space left on device/.test(text)) {
    throw new LibtensorflowError(
      'DISK_FULL',
      'The disk filled up while the binding was compiled.',
      'Free some space and run the command again.',
    );
  }
  throw new LibtensorflowError(
    'COMPILE_FAILED',
    `${compiler} could not compile the binding:\n${text}\n`,
    'It needs C++17: g++ 9 or clang 10 and newer, with the C++ standard library. Name another compiler: CXX=/path/to/g++.',
  );
}
