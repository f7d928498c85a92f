import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Key } from '../seams/index.ts';
import { fillBits } from './fill.ts';

/** Options of `randomCategorical`. */
export interface RandomCategoricalOptions {
  /** Draws per distribution, as a last axis of the result. Without it one draw and no such axis. */
  readonly samples?: number;
}

/**
 * Class indices drawn with probabilities softmax(logits) over the last axis, by the Gumbel-max trick.
 *
 * argmaxᵢ (logitᵢ − ln Eᵢ), with Eᵢ = −ln(1 − (bits + ½)·2⁻³²) exponential, made on the host in doubles: classes down to a probability of
 * 1e-9 come out right. A class with logit −∞ is never drawn. Equal logits give equal classes on every backend, up to ties within rounding.
 *
 * @param key One key, one use.
 * @param logits [..., classes], float32.
 * @returns int32 [...] or [..., samples].
 * @throws {FrugalError} `BAD_ARGUMENT` if there is no class, or `samples` is no integer of at least 1.
 */
export function randomCategorical(key: Key, logits: tf.Tensor, options: RandomCategoricalOptions = {}): tf.Tensor {
  const { samples } = options;
  const classes = logits.shape.at(-1) ?? 0;
  if (classes === 0) {
    throw new FrugalError('BAD_ARGUMENT', `logits must have the shape [..., classes], got [${logits.shape}].`);
  }
  if (samples !== undefined && (!Number.isSafeInteger(samples) || samples < 1)) {
    throw new FrugalError('BAD_ARGUMENT', `samples must be an integer of at least 1, got ${samples}.`);
  }
  const batch = logits.shape.slice(0, -1);
  return tf.tidy(() => {
    if (samples === undefined) return tf.argMax(tf.add(logits, gumbel(key, logits.shape)), -1);
    const repeated = tf.reshape(logits, [...batch, 1, classes]);
    return tf.argMax(tf.add(repeated, gumbel(key, [...batch, samples, classes])), -1);
  });
}

/** −ln E for exponential E, one word each. */
function gumbel(key: Key, shape: number[]): tf.Tensor {
  const bits = new Int32Array(tf.util.sizeFromShape(shape));
  fillBits(key, bits);
  const out = Float32Array.from(bits, (word) => -Math.log(-Math.log1p(-((word >>> 0) + 0.5) * 2 ** -32)));
  return tf.tensor(out, shape, 'float32');
}
