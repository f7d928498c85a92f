import { atLeast, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { createMeter, formatCost, treeSize } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { accuracyOf, learn, lesson, recipeOf } from './recipe.ts';

/** Options of this example. */
export interface MnistOptions extends ExampleOptions {
  /** `mlp` or `lenet5`. */
  readonly model: string;
}

/** Trains on MNIST, then asks the test images, once. */
export async function runMnist(options: MnistOptions, io: Io): Promise<readonly Target[]> {
  const recipe = recipeOf(options.model, options.quick);
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}`);

  const data = lesson(await io.mnist(), recipe, options.seed);
  const meter = createMeter(io.energy);
  const run = learn(recipe, data, { seed: options.seed, meter, listeners: [io.progress()] });
  const { params, optimizer, state, steps } = await run.result;
  const accuracy = await accuracyOf(recipe.model, params, data.test);

  io.print(`\n${recipe.name}, ${count(treeSize(params))} parameters, ${count(steps)} steps:\n`);
  io.print(formatCost(meter.read(), 6));
  tf.dispose([params, optimizer, state] as tf.TensorContainer);
  return [atLeast(`accuracy on the ${count(data.test.size)} test images`, accuracy, recipe.target, percent)];
}
