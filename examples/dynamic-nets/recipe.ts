import { adamw, cosine, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import type { Mnist } from '@frugal/datasets';
import { type Lesson, lesson, recipeOf } from '@frugal/example-mnist';
import { vit } from '@frugal/nn';
import {
  type Dataset,
  type DynamicRun,
  foldIn,
  key,
  type Labelled,
  type LossFunction,
  type Module,
  type Staged,
  type Tree,
  treeDispose,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The backbone: 16 patches of 7 × 7, three blocks of width 48, ReLU; 97 % of MNIST in minutes. */
export const SIZES = { patch: 7, dim: 48, depth: 3, heads: 4, feedForward: { activation: 'relu' } } as const;

/** The dense backbone, or with other layers in its blocks. */
export function backbone(block?: () => object): Staged<Tree> {
  return vit({ ...SIZES, ...(block && { block }) }) as unknown as Staged<Tree>;
}

/** MNIST for it: 5,000 images are kept apart to choose by. */
export function images(mnist: Mnist, seed: number, size: number): Lesson {
  return lesson(mnist, { ...recipeOf('mlp', false), batchSize: 128, images: size }, seed);
}

/** Cross-entropy of each example. */
export const task = (logits: tf.Tensor, y: tf.Tensor): tf.Tensor1D => softmaxCrossEntropy(logits, y) as tf.Tensor1D;

/** The task alone, for a model that needs no plans. */
export const taskLoss =
  (model: Module<Tree>): LossFunction<Tree, Labelled> =>
  (params, { x, y }, ctx) =>
    tf.tidy(() => task(model.apply(params, x, ctx), y));

/** One phase of training. */
export interface Phase {
  readonly epochs: number;
  /** The largest rate; warm-up, then a cosine to zero. */
  readonly peak: number;
  readonly seed: number;
}

/** Trains by a loss, Adam from fresh state; the parameters given are consumed. */
export async function teach(
  loss: LossFunction<Tree, Labelled>,
  params: Tree,
  data: Dataset<Labelled>,
  { epochs, peak, seed }: Phase,
): Promise<Tree> {
  const steps = epochs * data.batchesPerEpoch;
  const optimizer = adamw(cosine(peak, { steps, warmup: Math.min(100, steps >> 3) }), { weightDecay: 0 });
  // The parameters become the loop's own.
  const run = train({ model: { init: () => params }, loss, data, epochs, optimizer, key: foldIn(key(seed), 3) });
  const result = await run.result;
  treeDispose([result.optimizer, result.state]);
  return result.params;
}

/** What a dynamic network did on a data set. */
export interface Measured {
  readonly accuracy: number;
  /** Mean FLOPs of an example. */
  readonly flops: number;
  readonly seconds: number;
}

/** Runs a data set through a network; what `look` is given of each run is the caller's to look at, not to keep. */
export async function measure<R extends DynamicRun>(
  run: (x: tf.Tensor) => Promise<R>,
  data: Dataset<Labelled>,
  look?: (run: R) => void,
): Promise<Measured> {
  let [right, flops, ms] = [0, 0, 0];
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const start = performance.now();
    const result = await run(x);
    const hits = tf.tidy(() => tf.sum(tf.cast(tf.equal(tf.argMax(result.output, 1), y), 'float32')));
    right += (await hits.data())[0]!;
    ms += performance.now() - start;
    for (const one of result.cost) flops += one;
    look?.(result);
    tf.dispose([x, y, hits, result.output]);
  }
  return { accuracy: right / data.size, flops: flops / data.size, seconds: ms / 1000 };
}
