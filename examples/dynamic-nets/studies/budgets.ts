// What runs/budgets.sh runs: do early exits, experts and boosted tokens cost what was asked? One vit on MNIST, attention's projections adapt
// too; each way is calibrated on 10,000 images that it did not learn from, and its FLOPs are counted on the 10,000 test images.
import { readMnist } from '@frugal/datasets/node';
import { foldIn, key, treeDispose, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { backbone, denseFlops, images, measure, taskLoss, teach } from '../recipe.ts';
import { ways } from '../ways.ts';

const SIZES = quick
  ? { train: 640, validation: 1_000, test: 1_000 }
  : { train: 12_000, validation: 10_000, test: 10_000 };
const EPOCHS = quick ? { dense: 1, unit: 0.2 } : { dense: 6, unit: 1.5 };
const SHARES = quick ? [0.5] : [0.3, 0.5, 0.7];

await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const started = performance.now();
const minutes = (): string => `${((performance.now() - started) / 60_000).toFixed(1)} min`;
const data = images(await readMnist(), 1, SIZES.train, SIZES);
const model = backbone();
const trained = await teach(taskLoss(model), model.init(key(1)), data.train, {
  epochs: EPOCHS.dense,
  peak: 3e-3,
  seed: 1,
});
const flops = denseFlops(trained);

const figures: Record<string, number> = {};
const rows = [];
for (const [i, make] of ways.entries()) {
  const tuning = { epochs: EPOCHS.unit, seed: 10 * i, projections: true };
  const way = await make(trained, data, tuning, foldIn(key(1), 1 + i));
  const short = ['exit', 'expert', 'boost'][i]!;
  for (const share of SHARES) {
    const seen = await measure(await way.at(data.validation, share * flops), data.test);
    const error = Math.abs(seen.flops / (share * flops) - 1);
    figures[`${short}_budget_error`] = Math.max(error, figures[`${short}_budget_error`] ?? 0);
    figures[`${short}_accuracy_${share}`] = seen.accuracy;
    rows.push({ way: way.name, asked: share, spent: seen.flops / flops, error, accuracy: seen.accuracy });
    console.log(`${way.name} at ${share}: ${minutes()}`);
  }
  way.free();
}
treeDispose(trained);
table(rows);
figures.held = Number(['exit', 'expert', 'boost'].every((way) => figures[`${way}_budget_error`]! <= 0.03));
figures.minutes = (performance.now() - started) / 60_000;
finish('budgets', figures, 'runs');
