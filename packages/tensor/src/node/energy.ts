import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnergyCounter } from '../meter/index.ts';

/** Where to look for counters. */
export interface EnergyCountersOptions {
  /** The folder of Linux's powercap interface. Default `/sys/class/powercap`. */
  powercap?: string;
  /** The program that knows the power of NVIDIA cards. Default `nvidia-smi`. */
  nvidiaSmi?: string;
}

/** The counters of a machine, and why others are missing. */
export interface EnergyCounters {
  readonly counters: readonly EnergyCounter[];
  readonly missing: readonly { readonly name: string; readonly reason: string; readonly fix?: string }[];
}

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8').trim();

/** Joules from a counter of microjoules that starts again at `range`; one turn between two readings is seen, no more. */
function raplCounter(folder: string, name: string): EnergyCounter {
  const range = Number(read(folder, 'max_energy_range_uj'));
  let last = Number(read(folder, 'energy_uj'));
  let total = 0;
  return {
    name: `RAPL ${name}`,
    source: `${folder}, all processes of the machine`,
    joules(): number {
      const now = Number(read(folder, 'energy_uj'));
      total += now >= last ? now - last : now + range - last;
      last = now;
      return total / 1e6;
    },
  };
}

/** Packages, and memory where it has a counter of its own; cores are parts of packages, psys holds everything twice. */
function raplCounters(powercap: string): EnergyCounters {
  const counters: EnergyCounter[] = [];
  const missing: EnergyCounters['missing'][number][] = [];
  let zones: string[] = [];
  try {
    zones = readdirSync(powercap).filter((zone) => /^intel-rapl:\d+(:\d+)?$/.test(zone));
  } catch {
    // No powercap: another system, or a virtual machine.
  }
  for (const zone of zones.sort()) {
    const folder = join(powercap, zone);
    try {
      const name = read(folder, 'name');
      if (name.startsWith('package') || name === 'dram') counters.push(raplCounter(folder, name));
    } catch (error) {
      const denied = (error as NodeJS.ErrnoException).code === 'EACCES';
      const reason = denied ? `${folder}/energy_uj is readable by root only.` : (error as Error).message;
      missing.push({ name: `RAPL ${zone}`, reason, ...(denied && { fix: `sudo chmod a+r ${folder}/energy_uj` }) });
    }
  }
  if (zones.length === 0) missing.push({ name: 'RAPL', reason: `${powercap} has no intel-rapl zones.` });
  return { counters, missing };
}

/** Watts of each card now; the error if the program fails. */
function cardWatts(program: string): number[] | string {
  const query = ['--query-gpu=power.draw', '--format=csv,noheader,nounits'];
  const { status, stdout, stderr, error } = spawnSync(program, query, { encoding: 'utf8', timeout: 10_000 });
  if (error !== undefined)
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? `${program} is not there.` : error.message;
  if (status !== 0) return `${program}: ${(stderr || stdout).trim()}`;
  const watts = stdout.trim().split('\n').map(Number);
  return watts.every(Number.isFinite) ? watts : `The cards do not tell their power: ${stdout.trim()}`;
}

/** Joules of all cards by the trapezoidal rule between readings. */
function cardCounter(program: string, first: number[]): EnergyCounter {
  const sum = (watts: readonly number[]): number => watts.reduce((a, b) => a + b, 0);
  let last = { time: performance.now(), watts: sum(first) };
  let total = 0;
  return {
    name: `nvidia-smi, ${first.length} ${first.length === 1 ? 'card' : 'cards'}`,
    source: 'power drawn at each reading, trapezoids between them; all processes; read often in long runs',
    joules(): number {
      const watts = cardWatts(program);
      const now = { time: performance.now(), watts: typeof watts === 'string' ? last.watts : sum(watts) };
      total += ((now.time - last.time) / 1000) * ((now.watts + last.watts) / 2);
      last = now;
      return total;
    },
  };
}

/**
 * The energy counters of this machine, for `meter(fn, { counters })`: RAPL of the processor, `nvidia-smi` for cards.
 *
 * RAPL is cheap to read; `nvidia-smi` takes some 50 ms and tells power, so its energy is exact only where power is
 * steady. Both count the whole machine.
 */
export function energyCounters(options: EnergyCountersOptions = {}): EnergyCounters {
  const { powercap = '/sys/class/powercap', nvidiaSmi = 'nvidia-smi' } = options;
  const { counters, missing } = raplCounters(powercap);
  const watts = cardWatts(nvidiaSmi);
  if (typeof watts === 'string') return { counters, missing: [...missing, { name: 'nvidia-smi', reason: watts }] };
  return { counters: [...counters, cardCounter(nvidiaSmi, watts)], missing };
}
