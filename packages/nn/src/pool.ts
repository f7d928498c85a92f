import * as tf from '@tensorflow/tfjs-core';
import { parameterFree } from './activations.ts';
import { checkInput } from './checks.ts';
import { checkConv, pair, type Size2d } from './conv-options.ts';
import type { NoParams } from './params.ts';
import type { Layer } from './spec.ts';

/** Options of the pooling layers. */
export interface PoolOptions<S = Size2d> {
  /** Default: the size of the window. */
  strides?: S;
  /** Default `'valid'`. */
  padding?: 'valid' | 'same';
}

type Kind = 'maxPool2d' | 'avgPool2d' | 'maxPool1d' | 'avgPool1d';

function pool(kind: Kind, poolSize: [number, number], strides: [number, number], padding: 'valid' | 'same') {
  checkConv(kind, {}, { poolSize, strides }, padding);
  const run = kind.startsWith('max') ? tf.maxPool : tf.avgPool;
  const oneDimensional = kind.endsWith('1d');
  return parameterFree({ kind, poolSize, strides, padding }, (_, x, ctx) => {
    checkInput(kind, x, { rank: oneDimensional ? 3 : 4 }, ctx);
    if (!oneDimensional) return run(x as tf.Tensor4D, poolSize, strides, padding);
    return tf.tidy(() => {
      const [batch, time, channels] = x.shape as [number, number, number];
      const y = run(tf.reshape(x, [batch, 1, time, channels]) as tf.Tensor4D, poolSize, strides, padding);
      return tf.reshape(y, [batch, y.shape[2]!, channels]);
    });
  });
}

/** The largest value in each window: [B, H, W, C] → [B, H', W', C]. */
export function maxPool2d(poolSize: Size2d, options: PoolOptions = {}): Layer<NoParams> {
  return pool('maxPool2d', pair(poolSize), pair(options.strides ?? poolSize), options.padding ?? 'valid');
}

/** The mean of each window, padding not counted: [B, H, W, C] → [B, H', W', C]. */
export function avgPool2d(poolSize: Size2d, options: PoolOptions = {}): Layer<NoParams> {
  return pool('avgPool2d', pair(poolSize), pair(options.strides ?? poolSize), options.padding ?? 'valid');
}

/** The largest value in each window of a sequence: [B, T, C] → [B, T', C]. */
export function maxPool1d(poolSize: number, options: PoolOptions<number> = {}): Layer<NoParams> {
  return pool('maxPool1d', [1, poolSize], [1, options.strides ?? poolSize], options.padding ?? 'valid');
}

/** The mean of each window of a sequence, padding not counted: [B, T, C] → [B, T', C]. */
export function avgPool1d(poolSize: number, options: PoolOptions<number> = {}): Layer<NoParams> {
  return pool('avgPool1d', [1, poolSize], [1, options.strides ?? poolSize], options.padding ?? 'valid');
}

const middleAxes = (x: tf.Tensor): number[] => Array.from({ length: x.rank - 2 }, (_, i) => i + 1);

/** The mean over all axes between the first and the last: [B, …, C] → [B, C]. */
export function globalAvgPool(): Layer<NoParams> {
  return parameterFree({ kind: 'globalAvgPool' }, (_, x) => tf.mean(x, middleAxes(x)));
}

/** The largest value over all axes between the first and the last: [B, …, C] → [B, C]. */
export function globalMaxPool(): Layer<NoParams> {
  return parameterFree({ kind: 'globalMaxPool' }, (_, x) => tf.max(x, middleAxes(x)));
}

/** Everything but the first axis in one: [B, …] → [B, n]. */
export function flatten(): Layer<NoParams> {
  return parameterFree({ kind: 'flatten' }, (_, x) => {
    const batch = x.shape[0] ?? 1;
    return tf.reshape(x, [batch, batch === 0 ? 0 : x.size / batch]);
  });
}
