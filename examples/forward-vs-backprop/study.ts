// What runs/forward-mnist.sh runs: every method on all of MNIST, three seeds, a rate for each; test images asked once a run.

import { normalizations, toDataset } from '@frugal/datasets';
import { readMnist } from '@frugal/datasets/node';
import { lesson, recipeOf } from '@frugal/example-mnist';
import { activation, conv2d, dense, flatten, sequential, wrap } from '@frugal/nn';
import { type Staged, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../benchmarks/harness.ts';
import { greedyOn, learn, type Method, methodsFor, weightsOn } from './methods.ts';

const SEEDS = quick ? [1] : [1, 2, 3];
const EPOCHS = quick ? 1 : 6;

await useBackend(wasm());
const mnist = await readMnist();
const train = quick
  ? lesson(mnist, { ...recipeOf('mlp', true), images: 5_000, batchSize: 128 }, 1).train
  : toDataset(mnist.train, { batchSize: 128, shuffle: true, normalization: normalizations.mnist });
const test = toDataset(mnist.test, { batchSize: 1000, shuffle: false, normalization: normalizations.mnist });
const data = { train, test, validation: test }; // nothing is chosen here, so validation is not asked for

const hidden = quick ? 64 : 512;
const wide = methodsFor([784, hidden, hidden, 10]);
const narrow = methodsFor([784, hidden / 2, hidden / 2, 10]);
const convolutional = sequential([
  wrap(conv2d(1, 8, 5, { strides: 2 }), { after: [activation('relu')] }),
  wrap(conv2d(8, 16, 5, { strides: 2 }), { after: [activation('relu')] }),
  wrap(dense(256, 10), { before: [flatten()] }),
]) as unknown as Staged;

const runs: Record<string, { method: Method; epochs?: number }> = {
  best: { method: wide['greedy']! },
  guided: { method: wide['guided']! },
  exact: { method: wide['exact']! },
  backprop: { method: wide['backprop']! },
  frozen: { method: wide['frozen']! },
  fg_w: { method: narrow['weights16']! },
  fg_w_single: { method: narrow['weights1']! },
  logistic: { method: weightsOn('logistic regression, weights, 16 directions', [784, 10]) },
  cnn: { method: greedyOn('convolutions, local, 8 units a group', convolutional), epochs: Math.ceil(EPOCHS / 2) },
};

const figures: Record<string, number> = {};
const rows: Record<string, string | number>[] = [];
for (const [name, { method, epochs = EPOCHS }] of Object.entries(runs)) {
  const outcomes = [];
  for (const seed of SEEDS) outcomes.push(await learn(method, data, { epochs, seed, batchSize: 128 }));
  const errors = outcomes.map(({ accuracy }) => 1 - accuracy);
  figures[`${name}_test_error`] = errors.reduce((sum, error) => sum + error, 0) / errors.length;
  figures[`${name}_seconds`] = outcomes.reduce((sum, { seconds }) => sum + seconds, 0) / outcomes.length;
  rows.push({
    method: method.name,
    'test error': figures[`${name}_test_error`]!,
    seeds: errors.map((e) => e.toFixed(4)).join(' '),
    'seconds a run': figures[`${name}_seconds`]!,
  });
  console.log(`${method.name}: ${errors.map((error) => (100 * error).toFixed(2)).join(', ')} %`);
}
table(rows);
finish('forward-mnist', figures, 'runs');
