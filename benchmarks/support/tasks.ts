// A study in parts, each in a process of its own, as many at a time as there are cores, and each remembered: a study that was stopped goes on where it was.
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { git, quick, root } from '../harness.ts';

/** What a study does, by name. Arguments and results are plain data that JSON can hold: no NaN, no typed arrays. */
export type Tasks = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;

/** A study's tasks as they are done. */
export interface TaskRunner<T extends Tasks> {
  /** Does a task for each list of arguments; the results come in their order. */
  run<K extends keyof T & string>(task: K, calls: readonly Parameters<T[K]>[]): Promise<Awaited<ReturnType<T[K]>>[]>;
  /** Processor minutes of all tasks so far, those of remembered ones as they were spent. */
  minutes(): number;
}

/** What a task gave, and the processor minutes that it took. */
interface Outcome {
  readonly value: unknown;
  readonly minutes: number;
}

async function perform(task: () => Promise<unknown>): Promise<Outcome> {
  const before = process.cpuUsage();
  const value = await task();
  const { user, system } = process.cpuUsage(before);
  return { value, minutes: (user + system) / 60e6 };
}

/** What the code is: only results of the same code are remembered. Undefined where it differs from the commit. */
function version(): string | undefined {
  if (quick) return undefined;
  const folders = ['benchmarks/support', 'benchmarks/studies'];
  const changed = git('status', '--porcelain', '--', 'packages', 'examples', 'benchmarks/*.ts', ...folders);
  if (changed !== '') return undefined;
  return git(
    'rev-parse',
    'HEAD:packages',
    'HEAD:examples',
    ...folders.map((path) => `HEAD:${path}`),
    'HEAD:pnpm-lock.yaml',
  );
}

/** Runs one task in a process of its own, which loads the same script. */
function inChild(call: readonly unknown[], children: Set<ChildProcess>): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, FRUGAL_TASK: JSON.stringify(call) };
    const child = fork(process.argv[1]!, process.argv.slice(2), { env });
    children.add(child);
    let result: Outcome | undefined;
    child.on('message', (message) => {
      result = message as Outcome;
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      children.delete(child);
      if (code === 0 && result !== undefined) resolve(result);
      else reject(new Error(`The task ${JSON.stringify(call)} ended with ${code}.`));
    });
  });
}

/**
 * Makes a study's runner. In a process that was started for one task it does that task and ends the process.
 *
 * Each process has one thread of its own to compute with. With `--quick` all is done in this process and nothing remembered.
 *
 * @param name The study's.
 * @param tasks Must not depend on what the script does after this call.
 */
export async function tasksOf<T extends Tasks>(name: string, tasks: T): Promise<TaskRunner<T>> {
  const start = ([task, ...args]: readonly unknown[]): Promise<Outcome> =>
    perform(() => tasks[task as string]!(...(args as never[])));
  const asked = process.env['FRUGAL_TASK'];
  if (asked !== undefined && process.send !== undefined) {
    process.on('disconnect', () => process.exit(1)); // whoever asked is gone
    const outcome = await start(JSON.parse(asked) as unknown[]);
    await new Promise<void>((done) => process.send!(outcome, () => done()));
    process.exit(0);
  }

  const code = version();
  const remembered = (call: readonly unknown[]): string => {
    const hash = createHash('sha256')
      .update(JSON.stringify([name, code, call]))
      .digest('hex')
      .slice(0, 16);
    return join(root, '.cache', 'studies', `${name}-${hash}.json`);
  };
  const one = async (call: readonly unknown[], children: Set<ChildProcess>): Promise<Outcome> => {
    if (quick) return start(call);
    const path = code === undefined ? undefined : remembered(call);
    if (path !== undefined && existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Outcome;
    const outcome = await inChild(call, children);
    if (path !== undefined) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(outcome));
    }
    return outcome;
  };

  let spent = 0;
  return {
    async run(task, calls) {
      const results: unknown[] = [];
      const children = new Set<ChildProcess>();
      let next = 0;
      const work = async (): Promise<void> => {
        while (next < calls.length) {
          const i = next++;
          const { value, minutes } = await one([task, ...calls[i]!], children);
          results[i] = value;
          spent += minutes;
        }
      };
      try {
        await Promise.all(Array.from({ length: quick ? 1 : availableParallelism() }, work));
      } catch (error) {
        for (const child of children) child.kill();
        throw error;
      }
      return results as never;
    },
    minutes: () => spent,
  };
}
