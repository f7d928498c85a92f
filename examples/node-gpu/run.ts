import { accuracyOf, learn, lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { createMeter, FrugalError, formatCost, type Started, treeSize } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { measure, type Speed } from './measure.ts';

/** Options of this example. */
export interface NodeGpuOptions extends ExampleOptions {
  /** `mlp` or `lenet5`. */
  readonly model: string;
}

const BACKENDS = ['tensorflow', 'webgpu', 'wasm', 'cpu'];

interface Row extends Speed {
  readonly backend: string;
  readonly device: string;
}

/** What computes, in a few words. */
function deviceOf({ name, details }: Started): string {
  const { device, build, tensorflow, threads } = details;
  if (name === 'tensorflow') return `${device}, TensorFlow ${tensorflow} (${build} build)`;
  return typeof device === 'string' ? device : `CPU${typeof threads === 'number' ? `, ${threads} threads` : ''}`;
}

/** Rows as a table, numbers on the right. */
function table(rows: readonly Row[]): string {
  const cells = [
    ['backend', 'device', 'step ms', 'GFLOP/s'],
    ...rows.map(({ backend, device, step, gflops }) => [backend, device, step.toPrecision(3), gflops.toPrecision(3)]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) => row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

/** Times a training step on every backend of this machine, then does the main job on the fastest. */
export async function runNodeGpu(options: NodeGpuOptions, io: Io): Promise<readonly Target[]> {
  const recipe = recipeOf(options.model, options.quick);
  const rows: Row[] = [];
  for (const backend of options.backend === 'auto' ? BACKENDS : [options.backend]) {
    try {
      const started = await io.start(backend);
      if (started.details.software === true) {
        io.print(`${backend}: its only device is emulated; left out.`);
        continue;
      }
      io.print(`${backend}: ${started.reason}`);
      const speed = await measure(recipe.model, recipe.batchSize, options.quick ? 0.5 : 3);
      rows.push({ backend, device: deviceOf(started), ...speed });
    } catch (error) {
      if (!(error instanceof FrugalError) || options.backend !== 'auto') throw error;
      io.print(io.paint(`${backend}: ${error.message.split('\n').at(-1)}`, 'faint'));
    }
  }
  rows.sort((a, b) => a.step - b.step);
  io.print(`\nA training step of ${recipe.name}, batch ${recipe.batchSize}, Adam:\n\n${table(rows)}\n`);

  const best = rows[0]!.backend;
  await io.start(best);
  const data = lesson(await io.mnist(), recipe, options.seed);
  const meter = createMeter(io.energy);
  const run = learn(recipe, data, { seed: options.seed, meter, listeners: [io.progress()] });
  const { params, optimizer, state, steps } = await run.result;
  const accuracy = await accuracyOf(recipe.model, params, data.test);
  io.print(`\n${recipe.name} on ${best}, ${count(treeSize(params))} parameters, ${count(steps)} steps:\n`);
  io.print(formatCost(meter.read(), 6));
  tf.dispose([params, optimizer, state] as tf.TensorContainer);
  return [atLeast(`accuracy on the ${count(data.test.size)} test images`, accuracy, recipe.target, percent)];
}
