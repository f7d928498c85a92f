import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Whether `--quick` was asked for: fewer and shorter samples, no result file. */
export const quick: boolean = process.argv.includes('--quick');

/** What is timed; a promise is awaited inside the timing. */
export type Side = () => unknown;

/** Milliseconds per call of one side. */
export interface Timing {
  best: number;
  median: number;
  samples: number[];
}

/** How to time. */
export interface InterleaveOptions {
  /** Samples per side, at least 5. Default 15, with `--quick` 5. */
  rounds?: number;
  /** Milliseconds that a sample lasts at least; calls are repeated within it. Default 50, with `--quick` 20. */
  sampleTime?: number;
  /** Calls before the first sample. Default 2. */
  warmUp?: number;
  /**
   * `'cpu'` counts the processor time of the whole process instead of the wall clock: steadier on a busy machine, right
   * for one thread only. Default `'wall'`.
   */
  clock?: 'wall' | 'cpu';
  /** Called before each sample, outside of the timing, e.g. to make the side's backend the current one. */
  before?: (name: string) => unknown;
}

const clocks = {
  wall: (): number => performance.now(),
  cpu: (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

async function sample(side: Side, calls: number, now: () => number): Promise<number> {
  const start = now();
  for (let i = 0; i < calls; i++) {
    const result = side();
    if (result instanceof Promise) await result;
  }
  return (now() - start) / calls;
}

/**
 * Times several sides in turn, sample by sample, so that what disturbs the machine disturbs all of them alike.
 *
 * The order turns by one from round to round. Ratios of `best` or `median` are then ratios measured in one run.
 */
export async function interleave<Name extends string>(
  sides: Record<Name, Side>,
  options: InterleaveOptions = {},
): Promise<Record<Name, Timing>> {
  const { rounds = quick ? 5 : 15, sampleTime = quick ? 20 : 50, warmUp = 2, clock = 'wall', before } = options;
  if (rounds < 5) throw new Error(`interleave needs at least 5 rounds, got ${rounds}.`);
  const names = Object.keys(sides) as Name[];
  const calls = {} as Record<Name, number>;
  const samples = {} as Record<Name, number[]>;
  for (const name of names) {
    await before?.(name);
    await sample(sides[name], Math.max(1, warmUp), clocks.wall);
    const once = await sample(sides[name], 1, clocks.wall);
    calls[name] = Math.max(1, Math.ceil(sampleTime / Math.max(once, 1e-4)));
    samples[name] = [];
  }
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round) % names.length]!;
      await before?.(name);
      samples[name].push(await sample(sides[name], calls[name], clocks[clock]));
    }
  }
  const summary = (values: number[]): Timing => ({
    best: Math.min(...values),
    median: median(values),
    samples: values,
  });
  return Object.fromEntries(names.map((name) => [name, summary(samples[name])])) as Record<Name, Timing>;
}

/** The median. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A number with four significant digits. */
export function digits(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : value;
}

/** Prints rows under the names of their columns; numbers stand on the right, with four significant digits. */
export function table(rows: readonly Record<string, string | number>[]): void {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const text = (value: string | number | undefined): string =>
    typeof value === 'number' ? String(digits(value)) : (value ?? '');
  const widths = columns.map((name) => Math.max(name.length, ...rows.map((row) => text(row[name]).length)));
  const line = (cells: readonly (string | number | undefined)[]): string =>
    cells
      .map((cell, i) => (typeof cell === 'number' ? text(cell).padStart(widths[i]!) : text(cell).padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  console.log(line(columns));
  console.log(widths.map((width) => '─'.repeat(width)).join('  '));
  for (const row of rows) console.log(line(columns.map((name) => row[name])));
}

/** The repository's folder. */
export const root: string = dirname(dirname(fileURLToPath(import.meta.url)));

/** What a git command prints. */
export const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

/** In an archive (`runs/gpu-card.sh`) there is no repository, but the commit that was packed. */
const packed = process.env['FRUGAL_PACKED_COMMIT'];

/** What a result is the result of: the commit that was checked out when the program started, and what differed from it. */
const source =
  quick || packed !== undefined
    ? { commit: packed ?? '', changed: '' }
    : {
        commit: git('rev-parse', 'HEAD'),
        changed: git('status', '--porcelain', '--untracked-files=no', '--', ':!benchmarks/results', ':!runs/results'),
      };

/** The machine in one line. */
export function machine(): string {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${all.length} × ${all[0]?.model.trim() ?? 'unknown'}, ${memory} GiB, ${process.platform} ${process.arch}, Node ${process.versions.node}`;
}

/**
 * Ends a benchmark: prints `{"name", "figures"}` as the last line and, without `--quick`, writes `results/NAME.json`.
 *
 * @param name The benchmark's file name without its ending.
 * @param figures The keys of the tables.
 * @param folder `'runs'` for an experiment that `runs/NAME.sh` starts; its result goes to `runs/results`.
 * @param command What repeats the run, where it is not named after the result.
 * @returns Whether the result was written: only then may a study write pictures and tables of it.
 * @throws If a figure is no number.
 */
export function finish(
  name: string,
  figures: Record<string, number>,
  folder: 'benchmarks' | 'runs' = 'benchmarks',
  command: string = commandOf(name, folder),
): boolean {
  const rounded = Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, digits(value)]));
  const broken = Object.entries(rounded).find(([, value]) => !Number.isFinite(value));
  if (broken !== undefined) throw new Error(`The figure '${broken[0]}' is ${broken[1]}.`);
  if (!quick) {
    const { changed } = source;
    if (changed === '') writeResult(name, rounded, folder, command);
    else console.error(`No result file: it names a commit, and these files differ from it. Commit first.\n${changed}`);
  }
  console.log(JSON.stringify({ name, figures: rounded }));
  return !quick && source.changed === '';
}

function commandOf(name: string, folder: string): string {
  const options = process.argv.slice(2).join(' ');
  return (folder === 'benchmarks' ? `npm run bench -- ${name} ${options}` : `sh runs/${name}.sh`).trim();
}

function writeResult(name: string, figures: Record<string, number>, folder: string, command: string): void {
  const result = {
    name,
    commit: source.commit,
    machine: machine(),
    date: new Date().toISOString(),
    command,
    figures,
  };
  const path = join(root, folder, 'results', `${name}.json`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
}
