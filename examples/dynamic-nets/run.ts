import { atLeast, atMost, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { foldIn, key, treeClone, treeDispose } from '@frugal/tensor';
import { extremes, sparkline, type WaySeen } from './picture.ts';
import { backbone, denseFlops, images, type Measured, measure, taskLoss, teach } from './recipe.ts';
import { ways } from './ways.ts';

/** Images to learn from and to calibrate on, passes over them for the backbone, and for one of the six units of fine-tuning. */
const lengths = {
  full: {
    images: 12_000,
    batchSize: 128,
    validation: 5_000,
    test: 10_000,
    dense: 6,
    peak: 3e-3,
    unit: 1,
    loss: 0.02,
    accuracy: 0.94,
    error: 0.05,
  },
  quick: {
    images: 5_000,
    batchSize: 50,
    validation: 500,
    test: 500,
    dense: 1,
    peak: 4e-3,
    unit: 0.05,
    loss: 0.2,
    accuracy: 0.45,
    error: 0.08,
  },
};
/** What an image may cost on average, of what the dense network costs. */
const BUDGET = 0.7;

/** One `vit`, trained once, then made dynamic in three ways at the same mean cost. */
export async function runDynamicNets(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const length = options.quick ? lengths.quick : lengths.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}\n`);
  const data = images(await io.mnist(), options.seed, length.images, length);
  const model = backbone();
  const learn = { epochs: length.dense, peak: length.peak, seed: options.seed };
  const trained = await teach(taskLoss(model), model.init(key(options.seed)), data.train, learn);
  const more = { epochs: 6 * length.unit, peak: 1e-3, seed: options.seed + 10 };
  const control = await teach(taskLoss(model), treeClone(trained), data.train, more);
  const dense = await measure(async (x) => ({ output: model.apply(control, x), cost: [] }), data.test);
  const flops = denseFlops(trained);
  treeDispose(control);

  io.print(
    `A vit on MNIST, then the same in three ways at ${percent(BUDGET)} of its FLOPs, as set on ${count(data.validation.size)} other images.`,
  );
  io.print('The last column has the images by what each cost, from nothing to the whole network.\n');
  io.print(`${'network'.padEnd(12)}    test  FLOPs/image  of dense  seconds for ${count(data.test.size)}  images`);
  const show = (name: string, { accuracy, flops: spent, seconds }: Measured, spread: string): void =>
    io.print(
      `${name.padEnd(12)} ${percent(accuracy).padStart(7)}  ${count(Math.round(spent)).padStart(11)}  ${percent(spent / flops).padStart(8)}  ${seconds.toFixed(2).padStart(18)}  ${spread}`,
    );
  show('dense', { ...dense, flops }, '');
  const targets: Target[] = [];
  const seen: WaySeen[] = [];
  for (const [i, make] of ways.entries()) {
    const tuning = { epochs: length.unit, seed: options.seed + 10 * (i + 1) };
    const way = await make(trained, data, tuning, foldIn(key(options.seed), i + 1));
    const run = await way.at(data.validation, BUDGET * flops);
    const [cost, shares]: [number[], number[]] = [[], []];
    const measured = await measure(run, data.test, (one) => {
      cost.push(...one.cost);
      shares.push(...one.shares);
    });
    way.free();
    seen.push({ name: way.name, cost, shares });
    show(way.name, measured, sparkline(cost.map((one) => one / flops)));
    targets.push(
      atLeast(
        `${way.name}: accuracy`,
        measured.accuracy,
        Math.max(length.accuracy, dense.accuracy - length.loss),
        percent,
      ),
      atMost(
        `${way.name}: distance from the budget`,
        Math.abs(measured.flops / (BUDGET * flops) - 1),
        length.error,
        percent,
      ),
    );
  }
  treeDispose(trained);
  io.print(await extremes(data.test, seen, flops, io.live));
  return targets;
}
