import { writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readMnist, readMobyDick } from '@frugal/datasets/node';
import { FrugalError, useBackend } from '@frugal/tensor';
import { type BackendName, backendByName, energyCounters } from '@frugal/tensor/node';
import { type Example, type ExampleOptions, type Io, UsageError } from './index.ts';
import { bar, lines } from './progress.ts';

/** Backends are looked for among the packages of this folder. */
const here = dirname(fileURLToPath(import.meta.url));

const colours = { bright: 33, good: 32, bad: 31, faint: 2 } as const;

/** A terminal, or a pipe: without colours and with one picture below the other. */
function terminal(): Io {
  const isTTY = process.stdout.isTTY === true;
  let drawn = 0;
  const print = (text: string): void => {
    process.stdout.write(`${text}\n`);
    drawn = 0;
  };
  const { FRUGAL_SETUP_SECONDS: setup } = process.env;
  return {
    live: isTTY,
    ...(setup === undefined ? {} : { setupSeconds: Number(setup) }),
    energy: energyCounters(),
    progress: () => (isTTY ? bar : lines(print)),
    start: async (name) => useBackend(await backendByName(name as BackendName, here)),
    print,
    frame(text) {
      if (isTTY && drawn > 0) process.stdout.write(`\x1b[${drawn}A\x1b[0J`);
      print(text);
      drawn = text.split('\n').length;
    },
    paint: (text, how) => (isTTY ? `\x1b[${colours[how]}m${text}\x1b[0m` : text),
    pause: (ms) => (isTTY ? setTimeout(ms) : Promise.resolve()),
    save: async (name, text) => {
      await writeFile(name, text);
      return name;
    },
    mnist: () => readMnist(),
    book: readMobyDick,
  };
}

type Defaults = Readonly<Record<string, string | boolean>>;
type Values<D extends Defaults> = { readonly [K in keyof D]: D[K] extends boolean ? boolean : string };

/**
 * Runs an example from the command line: `--backend NAME`, `--quick`, `--seed N` and what it has of its own.
 *
 * The process ends with 1 where a target was missed.
 *
 * @param own The example's own options with their defaults.
 */
export async function main<D extends Defaults>(example: Example<ExampleOptions & Values<D>>, own: D): Promise<void> {
  try {
    await run(example, own);
  } catch (error) {
    const { code = '' } = error as { code?: string };
    const asked = error instanceof UsageError || code.startsWith('ERR_PARSE_ARGS');
    const backend = error instanceof FrugalError && (code === 'UNKNOWN_BACKEND' || code === 'NO_BACKEND');
    if (!asked && !backend) throw error;
    console.error((error as Error).message);
    process.exitCode = 2;
  }
}

async function run<D extends Defaults>(example: Example<ExampleOptions & Values<D>>, own: D): Promise<void> {
  const defaults: Defaults = { backend: 'wasm', quick: false, seed: '1', ...own };
  const { values } = parseArgs({
    options: Object.fromEntries(
      Object.entries(defaults).map(([name, value]) => [
        name,
        { type: typeof value === 'boolean' ? ('boolean' as const) : ('string' as const), default: value },
      ]),
    ),
  });
  const io = terminal();
  const targets = await example({ ...values, seed: Number(values.seed) } as ExampleOptions & Values<D>, io);
  io.print('');
  for (const { what, reached, verdict } of targets) {
    io.print(`${io.paint(reached ? 'reached' : 'MISSED ', reached ? 'good' : 'bad')}  ${what}: ${verdict}`);
  }
  if (!targets.every((target) => target.reached)) process.exitCode = 1;
}
