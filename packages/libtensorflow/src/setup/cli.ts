import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { folderSize, type Installation, listInstallations } from '../cache/installation.ts';
import { removeLeftovers, removeOwn } from '../cache/lock.ts';
import { cacheRoot, installationName } from '../cache/paths.ts';
import { LibtensorflowError } from '../errors.ts';
import { findTfjsNode } from '../load/find-tfjs-node.ts';
import { diagnoseGpu } from './gpu.ts';
import { install } from './install.ts';
import { DEFAULT_VERSION } from './platform.ts';
import { printer } from './print.ts';
import { prove, proveApart } from './prove.ts';
import { endPrograms, type System, thisSystem } from './system.ts';

const HELP = `Usage: npx @frugal/libtensorflow [--gpu] [--tf VERSION] [--from-python | --wheel FILE]
       npx @frugal/libtensorflow --check | --clean [--gpu] [--tf VERSION]

Sets up a current TensorFlow (${DEFAULT_VERSION}) for tfjs-node and tfjs-node-gpu: takes its libraries from Python's wheel, compiles
the binding, proves both, and keeps them in ${'$'}FRUGAL_LIBTF_CACHE or ~/.cache/frugal-libtensorflow.

  --gpu           the build for NVIDIA GPUs, and the CUDA libraries
  --tf VERSION    another release, 2.15.0 or newer
  --from-python   links the TensorFlow that is installed in Python instead of downloading
  --wheel FILE    takes a wheel that is there already
  --check         says what is set up and whether it computes
  --clean         removes it: everything, or what --tf and --gpu name`;

const OPTIONS = {
  gpu: { type: 'boolean' },
  tf: { type: 'string' },
  'from-python': { type: 'boolean' },
  wheel: { type: 'string' },
  check: { type: 'boolean' },
  clean: { type: 'boolean' },
  prove: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values'];

const size = (folder: string): string => `${Math.round(folderSize(folder) / 2 ** 20)} MiB`;

/**
 * The command line.
 *
 * @param args What follows the program's name.
 * @param program What Node has to run to come here again.
 * @returns The exit status: 1 where something is missing or broken, 2 for a wrong command.
 */
export async function main(
  args: readonly string[],
  program: readonly string[],
  system: System = thisSystem(),
): Promise<number> {
  let values: Values;
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true }));
    const modes = [values.wheel, values['from-python'], values.check, values.clean].filter((one) => one !== undefined);
    if (modes.length > 1) throw new Error('--wheel, --from-python, --check and --clean exclude each other.');
    if (values.prove !== true && positionals.length > 0) throw new Error(`'${positionals[0]}' is no option.`);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  try {
    if (values.prove === true) {
      await prove(positionals[0]!, positionals[1]!);
      return 0;
    }
    if (values.clean === true) return await clean(system, values);
    if (values.check === true) return await check(system, program, values);
    return await setUp(system, program, values);
  } catch (error) {
    if (!(error instanceof LibtensorflowError)) throw error;
    console.error(`${error.code}: ${error.reason}\n${error.fix}`);
    return 1;
  }
}

async function setUp(system: System, program: readonly string[], values: Values): Promise<number> {
  const gpu = values.gpu === true;
  const progress = printer();
  const stop = leaveNothing(system);
  try {
    const { installation, proof } = await install(
      system,
      {
        ...{ gpu, version: values.tf, wheel: values.wheel },
        fromPython: values['from-python'] === true,
        from: process.cwd(),
        program,
      },
      progress,
    );
    progress.done();
    console.log(
      `TensorFlow ${proof.tensorflow} multiplies and trains (${proof.usesGpu ? 'GPU' : 'CPU'}): ${installation.folder}, ${size(installation.folder)}`,
    );
    if (installation.gpu && !proof.usesGpu) await explainGpu(system, installation);
    return 0;
  } finally {
    progress.done();
    stop();
  }
}

async function explainGpu(system: System, installation: Installation): Promise<void> {
  const { reason, fix } = await diagnoseGpu(system, installation);
  console.log(`No GPU is used; it computes on the CPU. ${reason}\n${fix}`);
}

/** On Ctrl-C or a kill: what was started ends, and what is not finished goes. */
function leaveNothing(system: System): () => void {
  const root = cacheRoot(system.env);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const end = (signal: NodeJS.Signals): void => {
    endPrograms();
    removeOwn(root);
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  for (const signal of signals) process.on(signal, end);
  return () => {
    for (const signal of signals) process.removeListener(signal, end);
  };
}

function named(system: System, values: Values): Installation[] {
  return listInstallations(cacheRoot(system.env)).filter(
    (one) =>
      (values.tf === undefined || one.tensorflow === values.tf) && (values.gpu === undefined || one.gpu === values.gpu),
  );
}

async function check(system: System, program: readonly string[], values: Values): Promise<number> {
  const root = cacheRoot(system.env);
  const all = named(system, values);
  if (all.length === 0) {
    console.log(`Nothing is set up in ${root}. Run 'npx @frugal/libtensorflow'.`);
    return 1;
  }
  const tfjsNode = findTfjsNode(process.cwd(), values.gpu === true);
  console.log(`${tfjsNode.package} ${tfjsNode.version} in ${tfjsNode.folder}`);
  let broken = 0;
  for (const one of all) {
    const what = `${one.name.padEnd(12)} ${size(one.folder).padStart(9)}  from ${one.source}, ${one.made.slice(0, 10)}`;
    try {
      if (one.damage !== undefined)
        throw new LibtensorflowError(
          'DAMAGED',
          `Damaged: ${one.damage}.`,
          `Run 'npx @frugal/libtensorflow${one.gpu ? ' --gpu' : ''} --tf ${one.tensorflow}'.`,
        );
      const proof = await proveApart(system, program, one.folder, tfjsNode.folder);
      console.log(`✓ ${what}; computes on the ${proof.usesGpu ? 'GPU' : 'CPU'}`);
      if (one.gpu && !proof.usesGpu) await explainGpu(system, one);
    } catch (error) {
      if (!(error instanceof LibtensorflowError)) throw error;
      broken++;
      console.log(`✗ ${what}\n  ${error.message}`);
    }
  }
  return broken === 0 ? 0 : 1;
}

async function clean(system: System, values: Values): Promise<number> {
  const root = cacheRoot(system.env);
  await removeLeftovers(root);
  const everything = values.tf === undefined && values.gpu === undefined;
  const found = named(system, values);
  const folders = everything
    ? found.map(({ folder }) => folder)
    : found.length > 0
      ? found.map(({ folder }) => folder)
      : [join(root, installationName({ version: values.tf ?? DEFAULT_VERSION, gpu: values.gpu === true }))];
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
  console.log(
    found.length === 0
      ? `Nothing was set up in ${root}.`
      : `Removed ${found.map(({ name }) => name).join(', ')} from ${root}.`,
  );
  return 0;
}
