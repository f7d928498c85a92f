import { type Context, FrugalError, type Key, randomUniform } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { parameterFree } from './activations.ts';
import { checkRate, whereIs } from './checks.ts';
import type { NoParams } from './params.ts';
import type { Layer } from './spec.ts';

/**
 * Sets a random share of the values to zero in training and scales the others by 1 ÷ (1 − rate) (arXiv 1207.0580).
 *
 * The mask is a function of `ctx.key` alone; without `ctx.train` nothing is dropped.
 *
 * @param rate Share to drop, in [0, 1).
 * @throws {FrugalError} On `apply`, in training without a key.
 */
export function dropout(rate: number): Layer<NoParams> {
  checkRate('dropout', rate);
  return parameterFree({ kind: 'dropout', rate }, (_, x, ctx) => drop(x, rate, ctx));
}

/** The context's key, or an error that says who needs one. */
export function needKey(kind: string, ctx: Context | undefined): Key {
  if (ctx?.key !== undefined) return ctx.key;
  throw new FrugalError(
    'NO_KEY',
    `${whereIs(kind, ctx)} needs randomness in training: pass 'key' in the context, a new one each step.`,
  );
}

/** What `dropout` does, for layers that drop inside; takes a key of its own from `ctx`. Returns a new tensor. */
export function drop(x: tf.Tensor, rate: number, ctx: Context | undefined, noiseShape: number[] = x.shape): tf.Tensor {
  if (!ctx?.train || rate === 0) return x.clone();
  const key = needKey('dropout', ctx);
  return tf.tidy(() => {
    const kept = tf.cast(tf.greaterEqual(randomUniform(key, noiseShape), rate), 'float32');
    return tf.mul(x, tf.mul(kept, 1 / (1 - rate)));
  });
}
