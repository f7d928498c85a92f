import { spawn } from 'node:child_process';
import { energyCounters } from './energy.ts';
import type { Probe } from './probe.ts';
import { type BackendName, backendNames } from './providers.ts';

/** What `doctor` found. */
export interface Diagnosis {
  readonly backends: readonly Probe[];
  readonly energy: { readonly counters: readonly string[]; readonly missing: readonly string[] };
  /** What `useBackend('auto')` takes. */
  readonly auto: BackendName | undefined;
}

const TIMEOUT_MS = 120_000;
const MARK = 'probe: ';

/** Tries a backend in a process of its own: a driver that crashes must not take the others with it. */
function probeApart(name: BackendName, program: readonly string[]): Promise<Probe> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...process.execArgv, ...program, 'probe', name], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => (output.stdout += data));
    child.stderr.on('data', (data) => (output.stderr += data));
    child.on('error', (error) => resolve({ name, works: false, reason: error.message }));
    child.on('close', (code, signal) => {
      const line = output.stdout.split('\n').find((text) => text.startsWith(MARK));
      if (line !== undefined) return resolve(JSON.parse(line.slice(MARK.length)) as Probe);
      const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
      const last = output.stderr.trim().split('\n').at(-1) ?? '';
      resolve({ name, works: false, reason: `The process that tried it ${how}. ${last}`.trim() });
    });
  });
}

/** A probe as the line that `probeApart` looks for among whatever backends print. */
export const formatProbe = (probe: Probe): string => `${MARK}${JSON.stringify(probe)}`;

/**
 * Tries backends one after the other, each in a process of its own.
 *
 * @param program What Node has to run so that it answers `probe NAME`.
 */
export async function diagnose(
  program: readonly string[],
  names: readonly BackendName[] = backendNames,
): Promise<Diagnosis> {
  const backends: Probe[] = [];
  for (const name of names) backends.push(await probeApart(name, program));
  const { counters, missing } = energyCounters();
  return {
    backends,
    energy: {
      counters: counters.map(({ name }) => name),
      missing: missing.map(({ name, reason }) => `${name}: ${reason}`),
    },
    auto: backends.find(({ works, software }) => works && software !== true)?.name,
  };
}

function describeTraining({ trains }: Probe): string {
  if (trains === undefined) return '';
  const kinds = Object.entries(trains);
  const can = kinds.filter(([, kernel]) => kernel === true).map(([kind]) => kind);
  const cannot = kinds.filter(([, kernel]) => kernel !== true).map(([kind, kernel]) => `${kind} (no ${kernel})`);
  return `trains ${can.join(', ') || 'nothing'}${cannot.length > 0 ? `; not ${cannot.join(', ')}` : ''}`;
}

/** The diagnosis as lines of text. */
export function formatDiagnosis({ backends, energy, auto }: Diagnosis): string {
  const lines = [
    `Node ${process.versions.node}, ${process.platform} ${process.arch}, packages from ${process.cwd()}`,
    '',
  ];
  for (const one of backends) {
    const speed = one.gflops === undefined ? '' : `${one.gflops.toPrecision(3)} GFLOP/s`;
    lines.push(`${one.works ? '✓' : '✗'} ${one.name.padEnd(11)} ${speed.padStart(14)}  ${one.reason}`);
    const details = one.works ? describeTraining(one) : one.fix;
    if (details !== undefined && details !== '') lines.push(`${' '.repeat(30)}${one.works ? '' : 'Fix: '}${details}`);
  }
  lines.push('', auto === undefined ? 'No backend works.' : `useBackend('auto') takes ${auto}.`);
  const counted =
    energy.counters.length > 0 ? `measured by ${energy.counters.join(', ')}` : 'estimated from a stated power';
  lines.push(`Energy is ${counted}.`, ...energy.missing.map((one) => `  ${one}`));
  return lines.join('\n');
}
