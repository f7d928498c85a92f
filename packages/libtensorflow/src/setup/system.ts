import { spawn } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { type Machine, thisMachine } from './platform.ts';

/** How a program ended. */
export interface Ended {
  /** Undefined if there is no such program. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** What set-up asks of the machine, so that tests can give it another one. */
export interface System {
  readonly machine: Machine;
  readonly env: NodeJS.ProcessEnv;
  /** Bytes free where a folder stands. */
  freeBytes(folder: string): Promise<number>;
  run(program: string, args: readonly string[], options?: RunOptions): Promise<Ended>;
}

/** How a program is run. */
interface RunOptions {
  /** Added to the environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Is told each line of the standard output when it comes. */
  readonly onLine?: (line: string) => void;
}

/** Programs that run now; ended with us. */
const running = new Set<ReturnType<typeof spawn>>();

/** Ends what was started. */
export function endPrograms(): void {
  for (const child of running) child.kill();
}

/** This machine. */
export function thisSystem(): System {
  return {
    machine: thisMachine(),
    env: process.env,
    async freeBytes(folder): Promise<number> {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },
    run: (program, args, options = {}) =>
      new Promise((resolve) => {
        const child = spawn(program, args, {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { ...process.env, ...options.env },
        });
        running.add(child);
        const output = { stdout: '', stderr: '' };
        let line = '';
        child.stdout.on('data', (data) => {
          output.stdout += data;
          const lines = `${line}${data}`.split('\n');
          line = lines.pop()!;
          for (const whole of lines) options.onLine?.(whole);
        });
        child.stderr.on('data', (data) => (output.stderr += data));
        child.on('error', () => resolve({ code: undefined, signal: undefined, ...output }));
        child.on('close', (code, signal) => {
          running.delete(child);
          resolve({ code: code ?? 1, signal: signal ?? undefined, ...output });
        });
      }),
  };
}

/** The last lines of what a program printed: where the reason stands. */
export function lastLines({ stdout, stderr }: Ended, count = 6): string {
  return `${stdout}\n${stderr}`.trim().split('\n').slice(-count).join('\n');
}
