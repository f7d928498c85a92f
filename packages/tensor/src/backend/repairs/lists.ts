import * as tf from '@tensorflow/tfjs-core';

/** The tape hands over the gradient of a single output by itself, not as a list. */
const list = (dys: tf.Tensor | tf.Tensor[]): tf.Tensor[] => (Array.isArray(dys) ? dys : [dys]);

const unpack: tf.GradConfig = {
  kernelName: 'Unpack',
  gradFunc: (dys, _, attrs) => ({ value: () => tf.stack(list(dys), attrs.axis as number) }),
};

const split: tf.GradConfig = {
  kernelName: 'SplitV',
  gradFunc: (dys, _, attrs) => ({ x: () => tf.concat(list(dys), attrs.axis as number) }),
};

/** `unstack` and `split` into one: stock throws. */
export const listRepairs = (): tf.GradConfig[] => [unpack, split];
