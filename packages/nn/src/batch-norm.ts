import { type Context, FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput, checkPositive, whereIs } from './checks.ts';
import { joinPath } from './context.ts';
import { normalize } from './normalize.ts';
import type { NoParams } from './params.ts';
import type { Layer } from './spec.ts';

/** Parameters of `batchNorm`: `weight` [C] and `bias` [C], unless `affine` is off. */
export type BatchNormParams<A extends boolean = true> = A extends true
  ? { readonly weight: tf.Tensor1D; readonly bias: tf.Tensor1D }
  : NoParams;

/** Options of `batchNorm`. */
export interface BatchNormOptions<A extends boolean = true> {
  /** Added to the variance. Default 1e-5. */
  epsilon?: number;
  /** Weight of the new batch in the running statistics: r ← (1 − momentum) r + momentum · batch. Default 0.1. */
  momentum?: number;
  /** Whether running variances are of n ÷ (n − 1) (PyTorch) or plain batch variances (Keras). Default true. */
  unbiased?: boolean;
  /** Whether weight and bias are learned. Default true. */
  affine?: A;
}

/** Where a batch norm at `path` keeps its running statistics in the state. */
export function batchNormPaths(path: string | undefined): { mean: string; variance: string } {
  return { mean: joinPath(path, 'running_mean'), variance: joinPath(path, 'running_var') };
}

/**
 * Batch normalization over all axes but the last: [B, …, C] → [B, …, C] (arXiv 1502.03167).
 *
 * In training it uses the statistics of the batch and, where `ctx.state` is given, records running ones at
 * `<path>.running_mean` and `<path>.running_var`, which start at 0 and 1. At inference it reads them from there.
 *
 * @throws {FrugalError} On `apply`: at inference without `ctx.state`; in training on a single value per channel.
 */
export function batchNorm<const A extends boolean = true>(
  features: number,
  options: BatchNormOptions<A> = {},
): Layer<BatchNormParams<A>> {
  const { epsilon = 1e-5, momentum = 0.1, unbiased = true, affine = true } = options;
  checkPositive('batchNorm', { features });
  return {
    spec: { kind: 'batchNorm', features, epsilon, momentum, unbiased, affine },
    init: () => (affine ? { weight: tf.ones([features]), bias: tf.zeros([features]) } : {}) as BatchNormParams<A>,
    apply(params: { weight?: tf.Tensor; bias?: tf.Tensor }, x, ctx) {
      checkInput('batchNorm', x, { last: features }, ctx);
      return tf.tidy(() => {
        if (!ctx?.train) return byRunning(x, params, epsilon, ctx);
        const count = x.size / features;
        if (count < 2) {
          throw new FrugalError(
            'BAD_SHAPE',
            `${whereIs('batchNorm', ctx)} got one value per channel, which has no variance: train on batches of at least 2.`,
          );
        }
        const axes = Array.from({ length: x.rank - 1 }, (_, i) => i);
        const { y, mean, variance } = normalize(x, axes, epsilon);
        const correction = unbiased ? count / (count - 1) : 1;
        if (ctx.state !== undefined) record(ctx, features, momentum, mean, variance, correction);
        return params.weight && params.bias ? tf.add(tf.mul(y, params.weight), params.bias) : y;
      });
    },
  };
}

function byRunning(
  x: tf.Tensor,
  params: { weight?: tf.Tensor; bias?: tf.Tensor },
  epsilon: number,
  ctx: Context | undefined,
): tf.Tensor {
  if (ctx?.state === undefined) {
    throw new FrugalError(
      'NO_STATE',
      `${whereIs('batchNorm', ctx)} needs running statistics at inference: pass the state of the training as 'state' in the ` +
        'context (an empty one, createState(), stands for mean 0 and variance 1).',
    );
  }
  const paths = batchNormPaths(ctx.path);
  const mean = ctx.state.get(paths.mean) ?? tf.scalar(0);
  const variance = ctx.state.get(paths.variance) ?? tf.scalar(1);
  let scale: tf.Tensor = tf.rsqrt(tf.add(variance, epsilon));
  if (params.weight) scale = tf.mul(scale, params.weight);
  const shift = tf.neg(tf.mul(mean, scale));
  return tf.add(tf.mul(x, scale), params.bias ? tf.add(shift, params.bias) : shift);
}

function record(
  ctx: Context,
  features: number,
  momentum: number,
  mean: tf.Tensor,
  variance: tf.Tensor,
  correction: number,
): void {
  const state = ctx.state!;
  const paths = batchNormPaths(ctx.path);
  const blend = (path: string, start: number, batch: tf.Tensor, factor: number): void => {
    const old = state.get(path) ?? tf.fill([features], start);
    const fresh = tf.mul(tf.reshape(batch, [features]), momentum * factor);
    state.set(path, tf.add(tf.mul(old, 1 - momentum), fresh));
  };
  blend(paths.mean, 0, mean, 1);
  blend(paths.variance, 1, variance, correction);
}
