import {
  examplesFromIdx,
  fetchBytes,
  type LabelledImages,
  normalizations,
  parseIdx,
  takeRows,
  toDataset,
} from '@frugal/datasets';
import { type Dataset, key, type Labelled } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { atHome } from '../home.ts';

export const PIXELS = 784;

/** The digits of the lab: what is learnt from, what is asked, what is shown. */
export interface Digits {
  readonly learn: LabelledImages;
  readonly test: LabelledImages;
  /** The first of the test images. */
  readonly shown: LabelledImages;
}

async function images(name: string): Promise<LabelledImages> {
  const part = async (kind: string) => parseIdx(await fetchBytes(atHome(`data/${name}-${kind}.gz`)));
  return examplesFromIdx(await part('images'), await part('labels')) as LabelledImages;
}

/** Fetches them. */
export async function fetchDigits(shown: number): Promise<Digits> {
  const [learn, test] = await Promise.all([images('learn'), images('test')]);
  const first = Int32Array.from({ length: shown }, (_, i) => i);
  return { learn, test, shown: takeRows(test, first) as LabelledImages };
}

/** Batches as the networks take them: rows of numbers, or images. */
export function digitBatches(images: LabelledImages, batchSize: number, flatten: boolean, shuffle = true) {
  return toDataset(images, { batchSize, shuffle, flatten, normalization: normalizations.mnist }) as Dataset<Labelled>;
}

/** Bytes as a network takes them, [N, 784] or [N, 28, 28, 1]. */
export function scale(bytes: Uint8Array, flat: boolean): tf.Tensor {
  const values = Float32Array.from(bytes, (byte) => (byte / 255 - 0.1307) / 0.3081);
  const count = bytes.length / PIXELS;
  return flat ? tf.tensor2d(values, [count, PIXELS]) : tf.tensor4d(values, [count, 28, 28, 1]);
}

/** The share of right answers. */
export async function accuracyOf(
  data: Dataset<Labelled>,
  answer: (x: tf.Tensor) => Promise<tf.Tensor> | tf.Tensor,
): Promise<number> {
  let right = 0;
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const logits = await answer(x);
    const sum = tf.tidy(() => tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), y), 'float32')));
    right += (await sum.data())[0]!;
    tf.dispose([x, y, logits, sum]);
  }
  return right / data.size;
}
