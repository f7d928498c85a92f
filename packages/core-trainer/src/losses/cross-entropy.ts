import { FrugalError, softmaxCrossEntropy as rowCrossEntropy } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { checkSameShape, meanPerExample } from './reduce.ts';

/** Options of `softmaxCrossEntropy`. */
export interface CrossEntropyOptions {
  /** Share of the target that is spread evenly over all classes, in [0, 1] (arXiv 1512.00567). Default 0. */
  smoothing?: number;
  /** A label that does not count, such as padding; an example without any other has loss 0. Default: none. */
  ignore?: number;
}

/**
 * −log softmax(logits)[label] per example.
 *
 * @param logits - [B, …, C], float32.
 * @param labels - int32 class numbers [B, …] in [0, C), or float32 probabilities of the shape of the logits.
 * @returns `[B]`, means over the inner axes (of those that are not ignored).
 * @throws {FrugalError} `SHAPE_MISMATCH`; `INVALID_ARGUMENT` for a smoothing outside of [0, 1].
 */
export function softmaxCrossEntropy(
  logits: tf.Tensor,
  labels: tf.Tensor,
  options: CrossEntropyOptions = {},
): tf.Tensor1D {
  const { smoothing = 0, ignore } = options;
  checkNumber('smoothing', smoothing, { min: 0, max: 1 });
  if (labels.dtype === 'float32') {
    if (labels.rank === logits.rank - 1) {
      throw new FrugalError(
        'SHAPE_MISMATCH',
        `softmaxCrossEntropy: labels are float32 [${labels.shape}]. Class numbers must be int32: give the data an Int32Array, or tf.cast(labels, 'int32').`,
      );
    }
    checkSameShape('softmaxCrossEntropy', logits, labels);
    return tf.tidy(() => softCrossEntropy(logits, labels, smoothing));
  }
  if (!tf.util.arraysEqual(logits.shape.slice(0, -1), labels.shape) || labels.rank === 0) {
    throw new FrugalError(
      'SHAPE_MISMATCH',
      `softmaxCrossEntropy: logits [${logits.shape}] need int32 labels [${logits.shape.slice(0, -1)}] or float32 ` +
        `probabilities [${logits.shape}], got ${labels.dtype} [${labels.shape}].`,
    );
  }
  return tf.tidy(() => {
    const classes = logits.shape.at(-1)!;
    const rows = tf.reshape(logits, [-1, classes]) as tf.Tensor2D;
    const flat = tf.cast(tf.reshape(labels, [-1]), 'int32') as tf.Tensor1D;
    const counted = ignore === undefined ? undefined : tf.notEqual(flat, tf.scalar(ignore, 'int32'));
    const known = counted === undefined ? flat : (tf.mul(flat, tf.cast(counted, 'int32')) as tf.Tensor1D);
    let losses: tf.Tensor = rowCrossEntropy({ logits: rows, labels: known });
    if (smoothing > 0) losses = tf.add(losses, tf.mul(smoothingTerm(rows, known), smoothing));
    if (counted === undefined) return meanPerExample(tf.reshape(losses, labels.shape));
    const weights = tf.reshape(tf.cast(counted, 'float32'), [labels.shape[0]!, -1]);
    const sums = tf.sum(tf.mul(tf.reshape(losses, weights.shape), weights), 1);
    return tf.div(sums, tf.maximum(tf.sum(weights, 1), 1));
  }) as tf.Tensor1D;
}

/** logits[i, labels[i]]. Cast by itself: stock wasm's oneHot writes integers whatever type is asked for. */
function picked(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  return tf.sum(tf.mul(logits, tf.cast(tf.oneHot(labels, logits.shape[1]), 'float32')), 1);
}

/** What smoothing ε adds, divided by ε: the target's logit less the mean logit. */
function smoothingTerm(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Tensor1D {
  return tf.sub(picked(logits, labels), tf.mean(logits, 1));
}

function softCrossEntropy(logits: tf.Tensor, target: tf.Tensor, smoothing: number): tf.Tensor1D {
  const classes = logits.shape.at(-1)!;
  const smooth = smoothing === 0 ? target : tf.add(tf.mul(target, 1 - smoothing), smoothing / classes);
  return meanPerExample(tf.neg(tf.sum(tf.mul(smooth, tf.logSoftmax(logits)), -1)));
}

/**
 * Binary cross-entropy from logits: softplus(x) − x · z, per example the mean over all outputs.
 *
 * @param logits - [B, …].
 * @param targets - Same shape, in [0, 1].
 * @returns [B].
 */
export function sigmoidCrossEntropy(logits: tf.Tensor, targets: tf.Tensor): tf.Tensor1D {
  checkSameShape('sigmoidCrossEntropy', logits, targets);
  return tf.tidy(() =>
    meanPerExample(tf.sub(tf.softplus(logits), tf.mul(logits, tf.cast(targets, 'float32')))),
  ) as tf.Tensor1D;
}
