import { adam, classification, cosine, lossFunction, train } from '@frugal/core-trainer';
import {
  calibrateAccuracy,
  type ExitModel,
  type ExitParams,
  maxProbability,
  plainHead,
  recordExits,
  runExits,
  scoreTable,
  withExits,
} from '@frugal/early-exit';
import { accuracyOf, lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast, atMost, count, percent } from '@frugal/example-support';
import { mlp } from '@frugal/nn';
import { spentOf } from '@frugal/sparsity-metrics';
import { createMeter, type Dataset, foldIn, formatFlops, key, type Labelled, type Staged } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Story } from '../story.ts';

/** Accuracy that the exit may cost on the images that choose its threshold. */
const slack = 0.001;

/** What the network with an exit does on a set. */
interface Answers {
  readonly accuracy: number;
  /** Share of the images that leave at the exit. */
  readonly early: number;
  /** Mean FLOPs per image. */
  readonly flops: number;
}

async function answer(
  model: ExitModel,
  params: ExitParams<never>,
  data: Dataset<Labelled>,
  threshold: number,
): Promise<Answers> {
  const policy = maxProbability([threshold]);
  let [right, early, flops] = [0, 0, 0];
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const { output, exits, cost } = await runExits(model, params, x, { policy });
    const answers = tf.argMax(output, 1);
    const [said, labels] = [await answers.data(), await y.data()];
    right += said.filter((digit, i) => digit === labels[i]).length;
    early += exits.filter((exit) => exit === 0).length;
    flops += cost.reduce((sum, one) => sum + one, 0);
    tf.dispose([x, y, output, answers]);
  }
  return { accuracy: right / data.size, early: early / data.size, flops: flops / data.size };
}

/** Chapter three: easy digits leave at once. */
export async function exitsChapter(story: Story): Promise<void> {
  const { io, mnist, options, targets, costs, savings, trained } = story;
  if (trained === undefined) return;
  const recipe = recipeOf(options.model, options.quick);
  const data = lesson(mnist, recipe, options.seed);
  io.print(
    '\nMost digits are easy. A small head on the pixels learns to answer those, and to know which ones they are.',
  );

  const head = mlp([784, 32, 10]);
  const meter = createMeter(io.energy);
  const epochs = options.quick ? 1 : 3;
  const { params, optimizer, state } = await train({
    ...{ model: head, data: data.train, epochs, meter, key: foldIn(key(options.seed), 3) },
    loss: lossFunction(head, classification().loss),
    optimizer: adam(cosine(3e-3, { warmup: 50, steps: epochs * data.train.batchesPerEpoch })),
  }).result;
  costs.set('the exit', meter.read());
  tf.dispose([optimizer, state] as tf.TensorContainer);

  const model = withExits(trained.model as Staged, [{ at: 0, head: plainHead(head) }]) as ExitModel;
  const both = { backbone: trained.params, heads: [params] } as unknown as ExitParams<never>;
  const table = await recordExits(model, both, data.validation);
  const { thresholds } = calibrateAccuracy(scoreTable(table, maxProbability([1])), slack);
  const [quickly, plainly] = [createMeter(io.energy), createMeter(io.energy)];
  const { accuracy, early, flops } = await quickly.run(() => answer(model, both, data.test, thresholds[0]!));
  const whole = await plainly.run(() => accuracyOf(trained.model, trained.params, data.test));
  tf.dispose(params as tf.TensorContainer);

  const saved = 1 - flops / table.costs.full;
  io.print(
    `It lets ${percent(early)} of the test images go; the rest runs through the whole network: ${percent(accuracy)} right ` +
      `instead of ${percent(whole)}, ${formatFlops(flops)} an image instead of ${formatFlops(table.costs.full)}.`,
  );
  story.ledger.push({
    what: `${count(data.test.size)} answers`,
    by: 'the exit',
    spent: spentOf(quickly.read()),
    instead: spentOf(plainly.read()),
  });
  savings.set('the exit', `${percent(saved)} of the FLOPs of every answer from now on`);
  targets.push(atMost('accuracy lost to the exit', whole - accuracy, 0.005, percent));
  targets.push(atLeast('FLOPs saved by the exit', saved, 0.4, percent));
}
