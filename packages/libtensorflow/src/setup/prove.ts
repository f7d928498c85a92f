import { createRequire } from 'node:module';
import { join } from 'node:path';
import { BINDING } from '../cache/installation.ts';
import { LibtensorflowError } from '../errors.ts';
import { answerWith } from '../load/hook.ts';
import { quieten, type TfjsNodeModule } from '../load/load.ts';
import type { System } from './system.ts';

/** What the child process found. */
export interface Proof {
  readonly tensorflow: string;
  readonly usesGpu: boolean;
}

const MARK = 'proof: ';

/**
 * Runs in the child: a product of matrices and a training step, held against what they must be.
 *
 * @param folder The installation. @param tfjsNode The package's folder.
 */
export async function prove(folder: string, tfjsNode: string): Promise<void> {
  quieten();
  const binding = join(folder, BINDING);
  answerWith(() => binding);
  const tf = createRequire(join(tfjsNode, 'package.json'))(tfjsNode) as TfjsNodeModule;
  const product = await tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])).data();
  if (String(product) !== '19,22,43,50') throw new Error(`a product of matrices gave ${product}`);
  // (w − 3)² from w = 0 with rate 0.25: the gradient is −6, the next w 1.5.
  const w = tf.variable(tf.scalar(0));
  tf.train.sgd(0.25).minimize(() => tf.square(tf.sub(w, 3)) as import('@tensorflow/tfjs-core').Scalar);
  const moved = (await w.data())[0];
  if (moved !== 1.5) throw new Error(`a training step gave ${moved} instead of 1.5`);
  const { binding: native, isUsingGpuDevice } = tf.backend() as unknown as {
    binding: { TF_Version: string };
    isUsingGpuDevice: boolean;
  };
  const proof: Proof = { tensorflow: native.TF_Version, usesGpu: isUsingGpuDevice };
  process.stdout.write(`${MARK}${JSON.stringify(proof)}\n`);
}

/** What the last word of a process that died means. */
function meaning(text: string, signal: NodeJS.Signals | undefined): string {
  if (signal === 'SIGBUS' || signal === 'SIGSEGV') return `The process was ended by ${signal}: a library is torn.`;
  if (/cannot open shared object file/.test(text)) return 'A library is missing.';
  if (/undefined symbol/.test(text)) return 'The two libraries are of different versions.';
  if (/GLIBCXX_|GLIBC_/.test(text)) return 'The C++ runtime is older than the compiler that was used.';
  return 'TensorFlow does not compute.';
}

/**
 * Proves an installation in a process of its own, as a broken library kills the process that loads it.
 *
 * @param program What Node has to run so that it answers `--prove`.
 * @throws {LibtensorflowError} `PROOF_FAILED`.
 */
export async function proveApart(
  system: System,
  program: readonly string[],
  folder: string,
  tfjsNode: string,
): Promise<Proof> {
  const ended = await system.run(process.execPath, [...process.execArgv, ...program, '--prove', folder, tfjsNode]);
  const line = ended.stdout.split('\n').find((text) => text.startsWith(MARK));
  if (ended.code === 0 && line !== undefined) return JSON.parse(line.slice(MARK.length)) as Proof;
  // Where in Node's files it happened says nothing to the user.
  const said = `${ended.stdout}\n${ended.stderr}`.split('\n').filter((one) => !/^\s+at |^Node\.js v|^\s*$/.test(one));
  const text = said.slice(-4).join('\n');
  throw new LibtensorflowError(
    'PROOF_FAILED',
    `${meaning(text, ended.signal)} The proof in a process of its own failed:\n${text}\n`,
    'Run the command again; if it fails alike, try another version: --tf 2.18.1.',
  );
}
