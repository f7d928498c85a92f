// Trains the networks of `bench early-exit` and writes them as 16-bit floats (runs/early-exit-checkpoint.sh).
import { adamw, cosine, mapBatches, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import { type ExitModel, type ExitParams, exitLoss } from '@frugal/early-exit';
import {
  type Dataset,
  foldIn,
  type Key,
  key,
  type Labelled,
  type LossFunction,
  type Tree,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { quick } from '../harness.ts';
import { readExits, writeCheckpoint } from '../support/checkpoints.ts';
import { batchesOf, lenet5Exits, lenetExits, parts, pixelHead, shifted } from '../support/exit-lenet.ts';

const threads = process.argv.includes('--one-thread') ? 1 : 'auto';
await useBackend(wasm({ threads }));
const mnist = await readMnist();
const images = parts(mnist, { train: 'rest', validation: 5000 });
const data = batchesOf(images.train, 128, true);
const validation = batchesOf(images.validation, 500);
const test = batchesOf(mnist.test, 500);
const start = performance.now();
const say = (text: string): void => console.log(`${((performance.now() - start) / 60_000).toFixed(1)} min: ${text}`);

type Outputs<P> = (params: P, x: tf.Tensor) => tf.Tensor[];

/** The share of right answers of each output, in words. */
async function accuracies(outputs: (x: tf.Tensor) => tf.Tensor[], set: Dataset<Labelled>): Promise<string> {
  const right: number[] = [];
  for await (const { x, y } of set.batches({ key: key(0), epoch: 0 })) {
    const counts = tf.tidy(() => outputs(x).map((z) => tf.sum(tf.cast(tf.equal(tf.argMax(z, 1), y), 'int32'))));
    for (const [i, count] of counts.entries()) right[i] = (right[i] ?? 0) + (await count.data())[0]!;
    tf.dispose([counts, x, y]);
  }
  return right.map((count) => `${((100 * count) / set.size).toFixed(2)} %`).join(', ');
}

interface Phase<P extends Tree> {
  readonly loss: LossFunction<P, Labelled>;
  readonly epochs: number;
  /** The largest learning rate. */
  readonly peak: number;
  /** Pixels by which a batch is moved at most. */
  readonly reach: number;
  readonly key: Key;
  /** Where to go on from; freed. */
  readonly from?: P;
}

/** AdamW under a cosine. */
async function phase<P extends Tree>(model: { init(key: Key): P }, outputs: Outputs<P>, options: Phase<P>): Promise<P> {
  const { loss, epochs, peak, reach, from } = options;
  const steps = quick ? 10 : epochs * data.batchesPerEpoch;
  const run = train<P, Labelled>({
    ...{ model, loss, steps, key: options.key, ...(from && { params: from }) },
    data: mapBatches(data, (batch, draw) => shifted(batch, draw, reach)),
    optimizer: adamw(cosine(peak, { warmup: Math.min(200, steps / 2), steps }), { weightDecay: 0.02 }),
    ...(!quick && {
      evaluate: async (params: P) => {
        say(`validation ${await accuracies((x) => outputs(params, x), validation)}`);
        return {};
      },
    }),
  });
  const { params, optimizer, state } = await run.result;
  tf.dispose([optimizer, state, ...(from ? [from] : [])] as tf.TensorContainer);
  return params;
}

type Params = ExitParams<never> & Tree;

/** Mixed training (arXiv 2407.14320): the backbone alone, then everything together. */
async function mixed(
  model: ExitModel,
  weights: readonly number[],
  epochs: readonly [number, number],
  seed: Key,
): Promise<Params> {
  const outputs: Outputs<Params> = (params, x) => model.outputs(params, x);
  const teach = (regime: 'backbone' | 'joint') => exitLoss(model, softmaxCrossEntropy, { regime, weights });
  const some = { init: (k: Key) => model.init(k) as Params };
  const common = { peak: 1.5e-3, reach: 2 };
  const first = { ...common, loss: teach('backbone'), epochs: epochs[0], key: foldIn(seed, 1) };
  const from = await phase(some, outputs, first);
  return phase(some, outputs, { ...common, loss: teach('joint'), epochs: epochs[1], key: foldIn(seed, 2), from });
}

/** Writes a network, and says what it can do as read back. */
async function keep(name: string, model: ExitModel, params: Params): Promise<void> {
  if (quick) return say(`${name}: test ${await accuracies((x) => model.outputs(params, x), test)}, not written`);
  // Two files, so that each stays below 4 MB.
  for (const part of ['backbone', 'heads'] as const) {
    say(`${name}.${part}: ${(await writeCheckpoint(`${name}.${part}`, params[part])).toFixed(2)} MB`);
  }
  const read = await readExits(name, model);
  say(`${name}: test ${await accuracies((x) => model.outputs(read, x), test)} as read back, the full network last`);
}

say('the head on the pixels');
const pixels = await phase(pixelHead, (params, x) => [pixelHead.apply(params, x)], {
  loss: (params, { x, y }, ctx) => tf.tidy(() => softmaxCrossEntropy(pixelHead.apply(params, x, ctx), y)),
  ...{ epochs: 24, peak: 2e-3, reach: 1, key: key(1) },
});
say('LeNet');
// The head on the pixels has weight 0 here: it shares nothing with the network, and has learnt.
const lenet = await mixed(lenetExits, [0, 0.5, 0.5, 0.3, 1], [1, 6], key(2));
await keep('lenet', lenetExits, { backbone: lenet.backbone, heads: [pixels, ...lenet.heads.slice(1)] } as Params);
say('LeNet-5');
await keep('lenet5', lenet5Exits, await mixed(lenet5Exits, [0.5, 0.5, 1], [1, 6], key(3)));
say('done');
