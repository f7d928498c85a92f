// What runs/forward-mnist.sh runs: every method on all of MNIST, three seeds. The rate of each is chosen first, on validation
// images (55,000 to learn from, 5,000 to judge); the test images are asked once a run.

import { normalizations, toDataset } from '@frugal/datasets';
import { readMnist } from '@frugal/datasets/node';
import { type Lesson, lesson, recipeOf } from '@frugal/example-mnist';
import { activation, conv2d, dense, flatten, mlp, sequential, wrap } from '@frugal/nn';
import { type Staged, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../benchmarks/harness.ts';
import { learn, type Method, methods, methodsFor } from './methods.ts';
import { chooseRate } from './tune.ts';

const SEEDS = quick ? [1] : [1, 2, 3];
const EPOCHS = quick ? 1 : 6;
const TUNING = quick ? 1 : 2;
const batchSize = 128;

const start = performance.now();
await useBackend(wasm({ threads: 1 })); // threads change no bit of a result
const mnist = await readMnist();
const tuning = lesson(mnist, { ...recipeOf('mlp', quick), images: quick ? 3_000 : 55_000, batchSize }, 7);
const test = toDataset(mnist.test, { batchSize: 1000, shuffle: false, normalization: normalizations.mnist });
const data: Lesson = {
  train: quick ? tuning.train : toDataset(mnist.train, { batchSize, normalization: normalizations.mnist }),
  validation: test, // never asked for: nothing is chosen any more
  test,
};

const hidden = quick ? 64 : 512;
const wide = methodsFor([784, hidden, hidden, 10]);
const narrow = methodsFor([784, hidden / 2, hidden / 2, 10]);
const linear = mlp([784, 10]) as unknown as Staged;
const convolutional = sequential([
  wrap(conv2d(1, 8, 5, { strides: 2 }), { after: [activation('relu')] }),
  wrap(conv2d(8, 16, 5, { strides: 2 }), { after: [activation('relu')] }),
  wrap(dense(256, 10), { before: [flatten()] }),
]) as unknown as Staged;

type Plan = { readonly net: string; readonly method: Method; readonly epochs: number };
const plan = (net: string, method: Method, epochs: number = EPOCHS): Plan => ({ net, method, epochs });
const [MLP, NARROW, LINEAR, CNN] = [
  `784-${hidden}-${hidden}-10`,
  `784-${hidden / 2}-${hidden / 2}-10`,
  '784-10',
  'conv',
];
const half = Math.ceil(EPOCHS / 2);
const plans: Record<string, Plan> = {
  best: plan(MLP, wide.greedy),
  guided: plan(MLP, wide.guided),
  exact: plan(MLP, wide.exact),
  backprop: plan(MLP, wide.backprop),
  frozen: plan(MLP, wide.frozen),
  activity: plan(MLP, wide.activity),
  fg_w: plan(NARROW, narrow.weights16),
  fg_w_single: plan(NARROW, narrow.weights1),
  logistic_fg_w: plan(LINEAR, methods.weights16(linear), half),
  logistic_activity: plan(LINEAR, methods.activity(linear), half),
  logistic_backprop: plan(LINEAR, methods.backprop(linear), half),
  cnn: plan(CNN, methods.greedy(convolutional), half),
  cnn_backprop: plan(CNN, methods.backprop(convolutional), half),
  cnn_frozen: plan(CNN, methods.frozen(convolutional), half),
};

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const minutes = (): number => (performance.now() - start) / 60_000;
const figures: Record<string, number> = {};
const rows: Record<string, string | number>[] = [];
for (const [id, { net, method, epochs }] of Object.entries(plans)) {
  const { rate, tried } = await chooseRate(method, tuning, { epochs: Math.min(TUNING, epochs), seed: 7, batchSize });
  const errors: number[] = [];
  const seconds: number[] = [];
  for (const seed of SEEDS) {
    const outcome = await learn({ ...method, peak: rate }, data, { epochs, seed, batchSize });
    errors.push(1 - outcome.accuracy);
    seconds.push(outcome.seconds);
  }
  figures[`${id}_test_error`] = mean(errors);
  figures[`${id}_rate`] = rate;
  figures[`${id}_seconds`] = mean(seconds);
  const list = errors.map((error) => (100 * error).toFixed(2)).join(' ');
  rows.push({
    net,
    method: method.name,
    epochs,
    rate,
    'test error, %': 100 * mean(errors),
    seeds: list,
    seconds: mean(seconds),
  });
  const judged = [...tried]
    .sort(([a], [b]) => a - b)
    .map(([r, accuracy]) => `${r}: ${(100 * (1 - accuracy)).toFixed(2)}`);
  console.log(
    `${minutes().toFixed(1)} min  ${net}, ${method.name}: ${list} %  (validation error by rate: ${judged.join(', ')})`,
  );
}
table(rows);
figures.minutes = minutes();
console.log(`${figures.minutes.toFixed(1)} minutes in all`);
finish('forward-mnist', figures, 'runs');
