// What runs/lr-advice.sh runs: is the advice any good? Final losses at every policy's rate against a grid of thirteen.
import { mkdirSync, writeFileSync } from 'node:fs';
import { readMnist, readMobyDick } from '@frugal/datasets/node';
import { useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../benchmarks/harness.ts';
import { runLenet } from './study/lenet.ts';
import { caseRows, report } from './study/report.ts';
import { type Case, runCase } from './study/run-case.ts';
import { makeTasks, type NetTask, type OptimizerName } from './study/tasks.ts';

const SEEDS = quick ? 2 : 5;
const STEPS = quick ? 60 : 300;
const LONG = 1200;
const names: readonly OptimizerName[] = ['sgd', 'momentum', 'adamw'];
const begun = performance.now();

await useBackend(wasm({ threads: 1 }));
const { choosing, reporting } = makeTasks(await readMnist(), await readMobyDick());

async function run(tasks: readonly NetTask[], steps: number): Promise<Case[]> {
  const cases: Case[] = [];
  for (const task of tasks) {
    for (const optimizer of names) {
      const start = performance.now();
      cases.push(await runCase(task, optimizer, { steps, seeds: SEEDS }));
      console.log(`${task.name}, ${optimizer}, ${steps} steps: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }
  }
  return cases;
}

const small = ({ name }: NetTask): boolean => name.startsWith('numbers') || name.startsWith('letters');
const chosen = process.argv.includes('--choosing') ? await run(choosing, STEPS) : [];
const short = await run(quick ? reporting.filter(({ name }) => name.startsWith('numbers')) : reporting, STEPS);
const long = quick ? [] : await run(reporting.filter(small), LONG);
const lenet = quick ? [] : [await runLenet(await readMnist(), 3, STEPS)];

const { figures, rows, cases } = report({ short, long, lenet, chosen });
table(rows);
console.log('');
table(caseRows([...short, ...long, ...lenet, ...chosen]));
const minutes = (performance.now() - begun) / 60_000;
console.log(`\n${minutes.toFixed(1)} minutes.`);
if (!quick) {
  const folder = new URL('../../docs/results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  // studies/draw.ts makes the pictures of this.
  const short6 = (_: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  writeFileSync(new URL('lr-advice.json', folder), `${JSON.stringify(cases, short6)}\n`);
}
finish('lr-advice', { ...figures, minutes }, 'runs');
