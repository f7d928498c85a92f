import type { Labelled } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type CrossEntropyOptions, type Loss, softmaxCrossEntropy, squaredError } from '../losses/index.ts';
import type { Metric, Objective } from './objective.ts';

/** 1 where the largest logit is the label's, else 0; the mean over inner axes. Labels as in `softmaxCrossEntropy`. */
export const accuracy: Metric = (logits, labels) =>
  tf.tidy(() => {
    const wanted = labels.dtype === 'float32' ? tf.argMax(labels, -1) : tf.cast(labels, 'int32');
    const right = tf.cast(tf.equal(tf.argMax(logits, -1), wanted), 'float32');
    return right.rank === 1 ? right : tf.mean(tf.reshape(right, [right.shape[0]!, -1]), 1);
  }) as tf.Tensor1D;

/** The class of each input. Raw data: `{ x: [B, …], y }` with y as `softmaxCrossEntropy` takes it; reports accuracy. */
export function classification(options: CrossEntropyOptions = {}): Objective<Labelled> {
  return {
    examples: ({ x, y }) => ({ x, y }),
    loss: (logits, y) => softmaxCrossEntropy(logits, y, options),
    metrics: { accuracy },
  };
}

/** Options of `regression`. */
export interface RegressionOptions {
  /** Default `squaredError`. */
  loss?: Loss;
}

/** A number, or several, of each input. Raw data: `{ x: [B, …], y: the output's shape }`; reports the squared error. */
export function regression({ loss = squaredError }: RegressionOptions = {}): Objective<Labelled> {
  return {
    examples: ({ x, y }) => ({ x, y }),
    loss,
    metrics: { squaredError },
  };
}
