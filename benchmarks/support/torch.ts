import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('torch-steps.py', import.meta.url));
const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'frugal-bench', 'pytorch');

/** PyTorch in a process of its own. */
export interface Torch {
  /** Version and threads. */
  readonly name: string;
  /** Runs a side of torch-steps.py `count` times; milliseconds per time, by Python's clock. */
  time(side: string, count: number): Promise<number>;
  close(): void;
}

function lastLine(result: { stdout: string; stderr: string }): string {
  return `${result.stdout}\n${result.stderr}`.trim().split('\n').at(-1) ?? '';
}

/** A Python with PyTorch: the one that `FRUGAL_TORCH_PYTHON` names, else one of our own, made with pip once. */
function pythonWithTorch(): string | { error: string } {
  const given = process.env['FRUGAL_TORCH_PYTHON'];
  if (given !== undefined) return given;
  const python = join(folder, 'bin/python');
  const works = (): boolean => existsSync(python) && spawnSync(python, ['-c', 'import torch']).status === 0;
  if (works()) return python;
  console.log(`Installing PyTorch with pip into ${folder}; once, some minutes.`);
  for (const [program, args] of [
    ['python3', ['-m', 'venv', folder]],
    [python, ['-m', 'pip', 'install', '--quiet', 'torch']],
  ] as const) {
    const result = spawnSync(program, args, { encoding: 'utf8' });
    if (result.status !== 0) return { error: `pip does not give PyTorch here: ${lastLine(result)}` };
  }
  return works() ? python : { error: 'pip installed PyTorch, but it does not import.' };
}

/** Starts PyTorch; where pip cannot give it, what pip said. */
export async function startTorch(): Promise<Torch | { error: string }> {
  const python = pythonWithTorch();
  return typeof python === 'string' ? startTorchOf(python) : python;
}

/** Starts PyTorch on the card, if this Python has one that sees it. */
export async function startTorchOnCard(python: string): Promise<Torch | { error: string }> {
  const sees = spawnSync(python, ['-c', 'import torch; assert torch.cuda.is_available(), "it sees no card"'], {
    encoding: 'utf8',
  });
  if (sees.status !== 0) return { error: sees.error?.message ?? lastLine(sees) };
  return startTorchOf(python, 'cuda');
}

async function startTorchOf(python: string, ...args: string[]): Promise<Torch> {
  const child: ChildProcess = spawn(python, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error('PyTorch ended.');
    return value;
  };
  const name = await next();
  return {
    name,
    async time(side, count) {
      child.stdin!.write(`${side} ${count}\n`);
      return Number(await next());
    },
    close: () => void child.kill(),
  };
}
