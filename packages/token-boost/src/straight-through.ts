import { type Key, randomUniform, stopGradient } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/**
 * A one-hot choice from logits: the largest of logits + Gumbel noise forward, softmax((logits + noise) ÷ temperature) backward
 * (arXiv 1611.01144, straight through).
 *
 * @param logits [tokens, choices].
 * @param temperature Positive; ACM uses 0.8.
 * @param key Of the noise; without one the largest logit is chosen.
 * @returns [tokens, choices], zeros and ones, with the gradient of the soft choice.
 */
export function straightThrough(logits: tf.Tensor, temperature: number, key?: Key): tf.Tensor {
  return tf.tidy(() => {
    const noisy = key === undefined ? logits : tf.add(logits, gumbel(key, logits.shape));
    const soft = tf.softmax(tf.div(noisy, temperature));
    const hard = tf.cast(tf.oneHot(tf.argMax(noisy, 1) as tf.Tensor1D, logits.shape[1]!), 'float32');
    return tf.add(hard, tf.sub(soft, stopGradient(soft)));
  });
}

/** −ln(−ln u), u in (0, 1). */
function gumbel(key: Key, shape: number[]): tf.Tensor {
  const uniform = randomUniform(key, shape, { min: 1e-7, max: 1 - 1e-7 });
  return tf.neg(tf.log(tf.neg(tf.log(uniform))));
}
