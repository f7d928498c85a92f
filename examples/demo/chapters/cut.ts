import { adam, classification, cosine, distillation, train } from '@frugal/core-trainer';
import { accuracyOf, lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast, atMost, count, percent } from '@frugal/example-support';
import * as nn from '@frugal/nn';
import { compact, pruneUnits, spentOf } from '@frugal/sparsity-metrics';
import {
  createMeter,
  type Dataset,
  foldIn,
  formatFlops,
  key,
  type Labelled,
  type Module,
  type Staged,
  type Tree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Story } from '../story.ts';

/** Share of the units of each layer that goes. */
const share = 0.75;

/** Answers to a whole set, metered. */
async function answers(story: Story, model: Module, params: Tree, data: Dataset<Labelled>) {
  const meter = createMeter(story.io.energy);
  const accuracy = await meter.run(() => accuracyOf(model, params, data));
  return { accuracy, spent: spentOf(meter.read()) };
}

/** Chapter four: most units can go, if those that stay learn from the net that they were part of. */
export async function cutChapter(story: Story): Promise<void> {
  const { io, mnist, options, targets, costs, savings, ledger, trained } = story;
  if (trained === undefined) return;
  const { model, params } = trained;
  io.print(
    `\nMost units can go: ${percent(share)} of each layer are cut out, and what stays learns from the whole network.`,
  );
  const data = lesson(mnist, recipeOf(options.model, options.quick), options.seed);
  const kept = await pruneUnits(model as nn.AnyModule, params, share);
  const small = await compact(model as Staged, params, { nn, kept });

  const meter = createMeter(io.energy);
  const epochs = options.quick ? 1 : 3;
  const cut = small.model as unknown as Module;
  const result = await train({
    ...{ model: cut, params: small.params, data: data.train, epochs, meter, key: foldIn(key(options.seed), 4) },
    objective: distillation(classification(), (x: tf.Tensor) => model.apply(params, x), { temperature: 4 }),
    optimizer: adam(cosine(3e-3, { warmup: 30, steps: epochs * data.train.batchesPerEpoch })),
  }).result;
  costs.set('the cut', meter.read());

  const before = await answers(story, model, params, data.test);
  const after = await answers(story, cut, result.params, data.test);
  tf.dispose([small.params, result.params, result.optimizer, result.state] as tf.TensorContainer);
  const saved = 1 - after.spent.flops / before.spent.flops;
  const each = (flops: number): string => formatFlops(flops / data.test.size);
  io.print(
    `${percent(after.accuracy)} right instead of ${percent(before.accuracy)}, ${each(after.spent.flops)} an image instead of ` +
      `${each(before.spent.flops)}, with no mask and no sparse kernel: the matrices are smaller.`,
  );
  ledger.push({ what: `${count(data.test.size)} answers`, by: 'the cut', spent: after.spent, instead: before.spent });
  savings.set('the cut', `${percent(saved)} of the FLOPs of every answer from now on`);
  targets.push(
    atMost('accuracy lost to the cut', before.accuracy - after.accuracy, options.quick ? 0.02 : 0.01, percent),
  );
  targets.push(atLeast('FLOPs saved by the cut', saved, 0.5, percent));
}
