// What runs/lr-shrink.sh runs: how much lower is the best rate of a run that is many times as long as its miniatures? The exponent
// of (6 n / T) is chosen here, on the tasks kept for choosing and on validation images of the demo's net; nothing here reports.
//
// The rule, written before the first run: the lowest median gap (in seed deviations) over all cases; of the exponents
// within 0.2 of it, the one that reads most of the validation images.
import { readMnist, readMobyDick } from '@frugal/datasets/node';
import { useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { askExponents, exponents, validationOfDemo } from '../study/exponents.ts';
import { type Case, runCase } from '../study/run-case.ts';
import { medianOf, scoreOf } from '../study/score.ts';
import { makeTasks, type OptimizerName } from '../study/tasks.ts';

const lengths = quick ? [60] : [300, 1200, 2400];
const names: readonly OptimizerName[] = ['sgd', 'momentum', 'adamw'];
const begun = performance.now();

await useBackend(wasm({ threads: 1 }));
const mnist = await readMnist();
const { choosing } = makeTasks(mnist, await readMobyDick());
const cases: Case[] = [];
for (const steps of lengths) {
  for (const task of quick ? choosing.slice(-1) : choosing) {
    for (const optimizer of names) {
      cases.push(await runCase(task, optimizer, { steps, seeds: quick ? 2 : 3, ask: askExponents }));
      console.log(`${task.name}, ${optimizer}, ${steps} steps`);
    }
  }
}
const gapsOf = (policy: string, steps?: number): number[] =>
  cases.filter((one) => steps === undefined || one.steps === steps).map((one) => scoreOf(one, policy).gapSd);
const figures: Record<string, number> = {};
const rows: Record<string, string | number>[] = [];
const medians = exponents.map((exponent) => medianOf(gapsOf(String(exponent))));
const candidates = exponents.filter((_, i) => medians[i]! <= Math.min(...medians) + 0.2);
const validation = [];
for (const seed of quick ? [] : [1, 2]) validation.push(...(await validationOfDemo(mnist, seed, candidates)));
for (const exponent of exponents) {
  const row: Record<string, string | number> = { exponent, 'median gap, sd': medianOf(gapsOf(String(exponent))) };
  for (const steps of lengths) {
    row[`${steps} steps`] = medianOf(gapsOf(String(exponent), steps));
    row[`worst of ${steps}`] = Math.max(...gapsOf(String(exponent), steps));
  }
  const read = validation.filter((one) => one.exponent === exponent).map(({ accuracy }) => accuracy);
  if (read.length > 0) row.validation = read.reduce((sum, value) => sum + value, 0) / read.length;
  rows.push(row);
  figures[`median_gap_sd_at_${exponent}`] = row['median gap, sd'] as number;
  if (read.length > 0) figures[`validation_at_${exponent}`] = row.validation as number;
}
table(rows);
if (lengths.includes(300)) {
  const thorough = cases.filter(({ steps }) => steps === 300).map((one) => scoreOf(one, 'thorough'));
  table(thorough.map(({ task, optimizer, gapSd, relativeGap }) => ({ task, optimizer, gapSd, relativeGap })));
}
const minutes = (performance.now() - begun) / 60_000;
console.log(`\n${minutes.toFixed(1)} minutes.`);
finish('lr-shrink', { ...figures, minutes }, 'runs');
