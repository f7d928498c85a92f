import { atLeast, atMost, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { foldIn, key, meter, type Tree, treeDispose } from '@frugal/tensor';
import { computeShares, imageMapText, type ModelRun } from '@frugal/token-boost';
import * as tf from '@tensorflow/tfjs-core';
import { backbone, images, type Measured, measure, SIZES, taskLoss, teach } from './recipe.ts';
import { type Way, ways } from './ways.ts';

const lengths = {
  full: { images: 20_000, dense: 5, epochs: 2, loss: 0.02, accuracy: 0.94 },
  quick: { images: 2_000, dense: 2, epochs: 1, loss: 0.25, accuracy: 0.3 },
};
/** What an image may cost on average, of what the dense network costs. */
const BUDGET = 0.7;

/** One `vit`, trained once, then made dynamic in three ways at the same mean cost. */
export async function runDynamicNets(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const length = options.quick ? lengths.quick : lengths.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}\n`);
  const data = images(await io.mnist(), options.seed, length.images);
  const test = options.quick ? data.validation : data.test;
  const model = backbone();
  const phase = { epochs: length.dense, peak: 2e-3, seed: options.seed };
  const trained = await teach(taskLoss(model), model.init(key(options.seed)), data.train, phase);
  const flops = await costOf(trained);
  const dense = await measure(async (x) => ({ output: model.apply(trained, x), cost: [] }), test);

  io.print(
    `A vit on MNIST, then the same in three ways at ${percent(BUDGET)} of its FLOPs (set on validation images):\n`,
  );
  io.print(`${'network'.padEnd(12)}    test   FLOPs/image   of dense  seconds for ${count(test.size)}`);
  const show = (name: string, { accuracy, flops: spent, seconds }: Measured): void =>
    io.print(
      `${name.padEnd(12)} ${percent(accuracy).padStart(7)}   ${count(Math.round(spent)).padStart(11)}  ${percent(spent / flops).padStart(9)}  ${seconds.toFixed(2).padStart(8)}`,
    );
  show('dense', { ...dense, flops });
  const targets: Target[] = [];
  for (const [i, make] of ways.entries()) {
    const tuning = { epochs: length.epochs, seed: options.seed + 10 * (i + 1) };
    const way = await make(trained, data, BUDGET * flops, tuning, foldIn(key(options.seed), i + 1));
    const seen = await measure((x) => way.run(x), test);
    show(way.name, seen);
    targets.push(
      atLeast(`${way.name}: accuracy`, seen.accuracy, Math.max(length.accuracy, dense.accuracy - length.loss), percent),
      atMost(`${way.name}: distance from the budget`, Math.abs(seen.flops / (BUDGET * flops) - 1), 0.05, percent),
    );
    if (way.name === 'token boost') await picture(way, test, io);
    way.free();
  }
  treeDispose(trained);
  return targets;
}

/** The dense network's FLOPs for an image. */
async function costOf(trained: Tree): Promise<number> {
  const x = tf.zeros([1, 28, 28, 1]);
  const { result, flops } = meter(() => backbone().apply(trained, x));
  tf.dispose([x, result]);
  return flops;
}

/** The cheapest and the most expensive of some images, with the share of the learners that each patch got, 0 to 9, in its corner. */
async function picture(way: Way, test: Parameters<typeof measure>[1], io: Io): Promise<void> {
  for await (const { x, y } of test.batches({ key: key(0), epoch: 0 })) {
    const some = tf.slice(x, 0, 100);
    const run = (await way.run(some)) as ModelRun;
    const shares = computeShares(run.plans);
    const each = shares.length / 100;
    const order = [...run.cost.keys()].sort((a, b) => run.cost[a]! - run.cost[b]!);
    const pixels = await some.data();
    const [least, most] = [Math.min(...pixels), Math.max(...pixels)];
    for (const [what, i] of [
      ['cheapest', order[0]!],
      ['most expensive', order.at(-1)!],
    ] as const) {
      io.print(
        `\nThe ${what} of 100 images, ${count(Math.round(run.cost[i]!))} FLOPs; tenths of the learners by patch:`,
      );
      const map = {
        pixels: Array.from(pixels.slice(i * 784, (i + 1) * 784), (value) => (value - least) / (most - least)),
        width: 28,
        patch: SIZES.patch,
        shares: shares.slice(i * each, (i + 1) * each),
      };
      io.print(imageMapText(map, { colour: io.live }));
    }
    tf.dispose([x, y, some, run.output]);
    return;
  }
}
