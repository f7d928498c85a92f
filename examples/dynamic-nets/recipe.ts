import { adamw, cosine, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import { type LabelledImages, type Mnist, normalizations, splitExamples, subset, toDataset } from '@frugal/datasets';
import type { Lesson } from '@frugal/example-mnist';
import { squaredHoyer } from '@frugal/moe';
import { vit } from '@frugal/nn';
import {
  type Dataset,
  type DynamicRun,
  foldIn,
  key,
  type Labelled,
  type LossFunction,
  type Module,
  meter,
  type Staged,
  type Tree,
  treeDispose,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The backbone: 16 patches of 7 × 7, three blocks of width 48, ReLU; 97 % of MNIST in minutes. */
export const SIZES = { patch: 7, dim: 48, depth: 3, heads: 4, feedForward: { activation: 'relu' } } as const;

/** Tokens of an image. */
export const TOKENS = (28 / SIZES.patch) ** 2;

/** The dense backbone, or with other layers in its blocks. */
export function backbone(block?: () => object): Staged<Tree> {
  return vit({ ...SIZES, ...(block && { block }) }) as unknown as Staged<Tree>;
}

/** Options of `images`. */
export interface ImagesOptions {
  /** Of training. Default 128. */
  readonly batchSize?: number;
  /** Images that are kept apart to choose by. Default 5,000. */
  readonly validation?: number;
  /** Images to judge by. Default all 10,000. */
  readonly test?: number;
}

/** MNIST for it: `size` images to learn from, others to choose by, and the test images. */
export function images(mnist: Mnist, seed: number, size: number, options: ImagesOptions = {}): Lesson {
  const { batchSize = 128, validation = 5_000, test = 10_000 } = options;
  const parts = splitExamples(mnist.train, { train: 'rest', validation }, { key: key(seed) });
  const batches = (images: LabelledImages, batchSize: number, shuffle: boolean): Dataset<Labelled> =>
    toDataset(images, { batchSize, shuffle, normalization: normalizations.mnist });
  return {
    train: batches(subset(parts.train, size, { key: foldIn(key(seed), 1) }), batchSize, true),
    validation: batches(parts.validation, 1000, false),
    test: batches(test < mnist.test.size ? subset(mnist.test, test, { key: key(0) }) : mnist.test, 1000, false),
  };
}

/** Cross-entropy of each example. */
export const task = (logits: tf.Tensor, y: tf.Tensor): tf.Tensor1D => softmaxCrossEntropy(logits, y) as tf.Tensor1D;

/** The task alone, for a model that needs no plans. */
export const taskLoss =
  (model: Module<Tree>): LossFunction<Tree, Labelled> =>
  (params, { x, y }, ctx) =>
    tf.tidy(() => task(model.apply(params, x, ctx), y));

/** The task, and a penalty on active hidden units: few experts are enough only where few units are active. */
export function sparseLoss(model: Module<Tree>, weight: number): LossFunction<Tree, Labelled> {
  return (params, { x, y }, ctx) => {
    const penalties: tf.Tensor[] = [];
    const set = (path: string, output: tf.Tensor): void => {
      if (path.endsWith('.act')) penalties.push(tf.keep(tf.tidy(() => squaredHoyer(output))));
    };
    try {
      return tf.tidy(() => {
        const own = task(model.apply(params, x, { ...ctx, taps: { set } }), y);
        return tf.add(own, tf.mul(tf.addN(penalties), weight / penalties.length)) as tf.Tensor1D;
      });
    } finally {
      tf.dispose(penalties);
    }
  };
}

/** One phase of training. */
export interface Phase {
  /** Passes over the data; a part of one is fine. */
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
  const steps = Math.max(1, Math.round(epochs * data.batchesPerEpoch));
  const optimizer = adamw(cosine(peak, { steps, warmup: Math.min(100, steps >> 3) }), { weightDecay: 0 });
  // The parameters become the loop's own.
  const run = train({ model: { init: () => params }, loss, data, steps, optimizer, key: foldIn(key(seed), 3) });
  const result = await run.result;
  treeDispose([result.optimizer, result.state]);
  return result.params;
}

/** FLOPs of an image in the dense backbone. */
export function denseFlops(params: Tree): number {
  const x = tf.zeros([1, 28, 28, 1]);
  const { result, flops } = meter(() => backbone().apply(params, x));
  tf.dispose([x, result]);
  return flops;
}

/** What a dynamic network did on a data set. */
export interface Measured {
  readonly accuracy: number;
  /** Mean FLOPs of an example. */
  readonly flops: number;
  readonly seconds: number;
}

/** Runs a data set through a network; what `look` is given of each batch is the caller's to look at, not to keep. */
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
