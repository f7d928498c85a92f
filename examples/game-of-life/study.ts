// What runs/game-of-life.sh runs: how often nets of several sizes learn the Game of Life, 64 of each taught in one batch; whether the density
// of the boards matters; whether a large net that learnt it can be cut to the smallest. Rate and updates are the same everywhere.
import { foldIn, type Interval, key, treeDispose, treeSize, useBackend, wilsonInterval } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../benchmarks/harness.ts';
import { type Family, initNets, type Nets } from './nets.ts';
import { shrink } from './shrink.ts';
import { teach, wrongCells } from './teach.ts';

const NETS = quick ? 8 : 64;
const UPDATES = quick ? { 1: 128, 2: 64, 3: 32 } : { 1: 4096, 2: 4096, 3: 4096 };
const PEAK = 0.01;
const DENSITY = 0.38;
/** Boards of 8 × 8 that each net sees in an update. */
const BOARDS = { 1: 8, 2: 4, 3: 4 };

await useBackend(wasm({ threads: 1 }));
const started = performance.now();
const minutes = (): string => ((performance.now() - started) / 60_000).toFixed(1);

const rows: Record<string, string | number>[] = [];
const solved: Record<string, Interval> = {};

async function judge(name: string, family: Family, nets: Nets, density: number, parameters: number): Promise<number[]> {
  const wrong = await wrongCells(family, nets, foldIn(key(3), family.steps));
  const successes = wrong.filter((share) => share === 0).length;
  const interval = wilsonInterval(successes, family.nets);
  solved[name] = interval;
  rows.push({
    steps: family.steps,
    m: family.times,
    what: name,
    density,
    parameters,
    solved: `${successes} of ${family.nets}`,
    share: interval.estimate,
    low: interval.low,
    high: interval.high,
  });
  console.log(`${name}: ${successes} of ${family.nets} after ${minutes()} minutes`);
  return wrong;
}

async function learn(
  steps: 1 | 2 | 3,
  times: number,
  density = DENSITY,
): Promise<{ family: Family; nets: Nets; wrong: number[] }> {
  const family = { steps, times, nets: NETS };
  const seed = foldIn(foldIn(key(steps), times), Math.round(1000 * density));
  const nets = await teach(family, initNets(family, foldIn(seed, 0)), {
    updates: UPDATES[steps],
    boards: BOARDS[steps],
    density,
    peak: PEAK,
    key: foldIn(seed, 1),
  });
  const name = density === DENSITY ? `n${steps}_m${times}` : `n${steps}_m${times}_density_${Math.round(100 * density)}`;
  return { family, nets, wrong: await judge(name, family, nets, density, treeSize(nets) / NETS) };
}

for (const times of [1, 2, 3]) treeDispose((await learn(1, times)).nets);
for (const density of [0.2, 0.55]) treeDispose((await learn(1, 2, density)).nets);

// A large net that has learnt it, cut to the size that hardly ever learns it.
const large = await learn(1, 4);
const small = await shrink(large.family, large.nets, {
  updates: UPDATES[1] / 2,
  lesson: { boards: BOARDS[1], density: DENSITY, peak: PEAK },
  key: key(4),
});
await judge('n1_m4_cut_to_m1', large.family, small, DENSITY, 25);
treeDispose(small);

for (const times of [1, 2, 4]) treeDispose((await learn(2, times)).nets);
treeDispose((await learn(3, 4)).nets);

table(rows);
console.log(`\n${minutes()} minutes`);
finish(
  'game-of-life',
  Object.fromEntries(
    Object.entries(solved).flatMap(([name, { estimate, low, high }]) => [
      [name, estimate],
      [`${name}_low`, low],
      [`${name}_high`, high],
    ]),
  ),
  'runs',
);
