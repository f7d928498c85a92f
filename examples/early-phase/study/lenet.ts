// A network that is not stacked: LeNet-5 with plain SGD, trained run by run.
import { accuracy, lossFunction, sgd, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import { type Mnist, normalizations, subset, toDataset } from '@frugal/datasets';
import { warmCosine } from '@frugal/lr-probe';
import { lenet5 } from '@frugal/nn';
import { key, type Labelled, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { askAll } from './policies.ts';
import { type Case, type End, grids, type Seed } from './run-case.ts';
import { keyOf } from './tasks.ts';

const net = lenet5();
const loss = lossFunction(net, softmaxCrossEntropy) as never;

/** The grid and the policies on LeNet-5, 20,000 images of MNIST, batch 32, SGD. */
export async function runLenet(mnist: Mnist, seeds: number, steps: number): Promise<Case> {
  const options = { batchSize: 32, normalization: normalizations.mnist, dropRemainder: true };
  const data = toDataset(subset(mnist.train, 20_000, { key: key(1) }), options);
  const test = toDataset(subset(mnist.test, 2_000, { key: key(2) }), { ...options, batchSize: 250, shuffle: false });

  async function measure(params: Tree): Promise<{ loss: number; accuracy: number }> {
    const sums = { loss: 0, accuracy: 0 };
    for await (const { x, y } of test.batches({ key: key(0), epoch: 0 })) {
      const both = tf.tidy(() => {
        const output = net.apply(params as never, x);
        return tf.stack([tf.mean(softmaxCrossEntropy(output, y)), tf.mean(accuracy(output, y))]);
      });
      const [a, b] = await both.data();
      sums.loss += a! / test.batchesPerEpoch;
      sums.accuracy += b! / test.batchesPerEpoch;
      tf.dispose([x, y, both]);
    }
    return sums;
  }

  async function runAt(rate: number, params: Tree, seed: number): Promise<End> {
    let [first, made] = [Number.NaN, 0];
    const run = train({
      ...{
        model: net,
        loss,
        params: params as never,
        data,
        steps,
        key: keyOf(seed, 2),
        guards: { nonFinite: 'ignore' },
      },
      optimizer: sgd(warmCosine(0.1)(rate, steps)),
      hooks: [
        {
          name: 'stop',
          onEvent(event, live) {
            if (event.type !== 'step') return;
            made = event.step;
            if (Number.isNaN(first)) first = event.loss!;
            if (!(event.loss! <= 2 * first)) live.stop('diverged');
          },
        },
      ],
    });
    const result = await run.result;
    const end = result.reason === 'stopped' ? undefined : await measure(result.params as Tree);
    tf.dispose([result.params, result.optimizer, result.state] as never);
    const kept = end !== undefined && Number.isFinite(end.loss) ? end : { loss: null, accuracy: null };
    return { rate, steps: made, ...kept };
  }

  const done: Seed[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const params = net.init(keyOf(seed, 0)) as Tree;
    const start = await measure(params);
    const problem = { loss, params, data, key: keyOf(seed, 1) };
    const { picks, stepFlops } = await askAll<Labelled>(problem, 'sgd', steps);
    const grid: End[] = [];
    for (const rate of grids.sgd) grid.push(await runAt(rate, params, seed));
    const ends: Seed['picks'][number][] = [];
    for (const pick of picks) {
      ends.push({ ...pick, end: pick.rate === undefined ? undefined : await runAt(pick.rate, params, seed) });
    }
    done.push({ start: start.loss, stepFlops, grid, picks: ends });
    tf.dispose(params as tf.TensorContainer);
  }
  return { task: 'LeNet-5', optimizer: 'sgd', steps, seeds: done };
}
