import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { meter } from '@frugal/tensor';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { energyCounters } from './energy.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'frugal-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function zone(powercap: string, id: string, name: string, energy: number): Promise<string> {
  const path = join(powercap, id);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'name'), `${name}\n`);
  await writeFile(join(path, 'max_energy_range_uj'), '1000000\n');
  await writeFile(join(path, 'energy_uj'), `${energy}\n`);
  return path;
}

it('reads RAPL: packages and memory, over the turn of a counter', async () => {
  const powercap = join(folder, 'powercap');
  const cpu = await zone(powercap, 'intel-rapl:0', 'package-0', 900_000);
  await zone(powercap, 'intel-rapl:0:0', 'core', 1);
  await zone(powercap, 'intel-rapl:0:1', 'dram', 500);
  await zone(powercap, 'intel-rapl:1', 'psys', 7);
  await mkdir(join(powercap, 'intel-rapl:2/energy_uj'), { recursive: true });
  await mkdir(join(powercap, 'dtpm'), { recursive: true });
  const { counters, missing } = energyCounters({ powercap, nvidiaSmi: 'no-such-program' });
  expect(counters.map(({ name }) => name)).toEqual(['RAPL package-0', 'RAPL dram']);
  expect(missing.map(({ name }) => name)).toEqual(['RAPL intel-rapl:2', 'nvidia-smi']);
  const { energy } = await meter(async () => writeFile(join(cpu, 'energy_uj'), '950000'), { counters });
  expect(energy).toMatchObject({ method: 'measured', joules: 0.05 });
  expect(energy.source).toContain('RAPL package-0');
  await writeFile(join(cpu, 'energy_uj'), '50000');
  expect(counters[0]!.joules()).toBeCloseTo(0.15, 10);
});

it.skipIf(process.platform === 'win32')('integrates the power that nvidia-smi tells', async () => {
  const program = join(folder, 'nvidia-smi');
  const answer = async (text: string) => writeFile(program, `#!/bin/sh\nprintf '${text}'\n`);
  await answer('100.0\\n50.0\\n');
  await chmod(program, 0o755);
  const { counters } = energyCounters({ powercap: join(folder, 'none'), nvidiaSmi: program });
  expect(counters.map(({ name }) => name)).toEqual(['nvidia-smi, 2 cards']);
  const [counter] = counters;
  const before = counter!.joules();
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await answer('300.0\\n50.0\\n');
  const joules = counter!.joules() - before;
  const seconds = (performance.now() - start) / 1000;
  // From 150 W to 350 W: 250 W on average; the readings themselves take a little time.
  expect(joules).toBeGreaterThan(0.1 * 250 * 0.9);
  expect(joules).toBeLessThan(seconds * 250 * 1.1);
});

it('says why there is no counter', async () => {
  const program = join(folder, 'broken');
  await writeFile(program, "#!/bin/sh\necho 'No devices were found' >&2\nexit 6\n");
  await chmod(program, 0o755);
  const { counters, missing } = energyCounters({ powercap: join(folder, 'none'), nvidiaSmi: program });
  expect(counters).toEqual([]);
  expect(missing.map(({ reason }) => reason)).toEqual([
    expect.stringContaining('has no intel-rapl zones'),
    expect.stringContaining('No devices were found'),
  ]);
});
