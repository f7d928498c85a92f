// The LeNets with exits of `bench early-exit` and of the claims, and MNIST as they see it.
import { type LabelledImages, type Mnist, normalizations, splitExamples, toDataset } from '@frugal/datasets';
import { type ExitModel, plainHead, withExits } from '@frugal/early-exit';
import { conv2d, convReluPool2d, dense, flatten, lenet5, maxPool2d, mlp, relu, sequential, wrap } from '@frugal/nn';
import { type Dataset, fillIntegers, type Key, key, type Labelled } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The head on the pixels: it knows no stage, so it learns by itself. */
export const pixelHead = mlp([784, 128, 10]);

/** 12.2 million multiply-adds: two convolutions of 32 and 64 filters 5×5, dense layers of 512 and 10. */
export const lenet = sequential({
  conv1: convReluPool2d(1, 32, 5, { padding: 'same' }),
  conv2: convReluPool2d(32, 64, 5, { padding: 'same' }),
  fc1: wrap(dense(7 * 7 * 64, 512), { before: [flatten()], after: [relu()] }),
  fc2: dense(512, 10),
});

const strided = (): ReturnType<typeof wrap> =>
  wrap(conv2d(32, 64, 3, { strides: 2, padding: 'same' }), { before: [maxPool2d(2)], after: [relu()] });
const small = sequential({
  conv: strided(),
  fc1: wrap(dense(4 * 4 * 64, 64), { before: [flatten()], after: [relu()] }),
  fc2: dense(64, 10),
});
const large = sequential({
  conv1: wrap(conv2d(32, 64, 3, { padding: 'same' }), { before: [maxPool2d(2)], after: [relu()] }),
  conv2: wrap(conv2d(64, 64, 3, { strides: 2, padding: 'same' }), { after: [relu()] }),
  fc1: wrap(dense(4 * 4 * 64, 64), { before: [flatten()], after: [relu()] }),
  fc2: dense(64, 10),
});

/** Exits on the pixels, after conv1 (a small head, then a large one), and after conv2. */
export const lenetExits = withExits(lenet, [
  { at: 0, head: plainHead(pixelHead) },
  { at: 1, head: plainHead(small) },
  { at: 1, head: plainHead(large) },
  { at: 2, head: plainHead(wrap(dense(7 * 7 * 64, 10), { before: [flatten()] })) },
]) as ExitModel;

/** Classic LeNet-5 (0.42 million multiply-adds) with exits after each convolution, BranchyNet's branch first. */
export const lenet5Exits = withExits(lenet5(), [
  {
    at: 1,
    head: plainHead(
      sequential({
        conv: wrap(conv2d(6, 16, 3, { strides: 2, padding: 'same' }), { after: [relu()] }),
        fc: wrap(dense(7 * 7 * 16, 10), { before: [flatten()] }),
      }),
    ),
  },
  { at: 2, head: plainHead(wrap(dense(5 * 5 * 16, 10), { before: [flatten()] })) },
]) as ExitModel;

/** Moves all images of a batch by the same whole number of pixels up to `reach`, in either direction. */
export function shifted({ x, y }: Labelled, draw: Key, reach: number): Labelled {
  const by = new Int32Array(2);
  fillIntegers(draw, by, 0, 2 * reach + 1);
  const [size, height, width, channels] = x.shape as [number, number, number, number];
  const around: [number, number] = [reach, reach];
  // The background of normalised images is not 0.
  const wide = tf.pad(x as tf.Tensor4D, [[0, 0], around, around, [0, 0]], background);
  return { x: tf.slice(wide, [0, by[0]!, by[1]!, 0], [size, height, width, channels]), y };
}

const normalization = normalizations.mnist;
const background = -0.1307 / 0.3081;

/** The training images in parts, always the same ones. */
export function parts<Name extends string>(mnist: Mnist, sizes: Record<Name, number | 'rest'>) {
  return splitExamples(mnist.train, sizes, { key: key(2015) });
}

/** Batches of images as the networks take them. */
export function batchesOf(images: LabelledImages, batchSize: number, shuffle = false): Dataset<Labelled> {
  return toDataset(images, { batchSize, shuffle, normalization });
}
