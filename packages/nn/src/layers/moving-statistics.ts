import type { Context } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { joinPath } from '../context.ts';
import { normalize } from '../normalize.ts';
import type { LayerCall, LayerInternals, VariableInternals } from './internals.ts';

/** Whether a layer is a batch normalization. */
export function hasMovingStatistics(layer: LayerInternals): boolean {
  return layer.getClassName() === 'BatchNormalization';
}

/**
 * The call of a batch normalization that reads its moving statistics from `ctx.state`, or else from the model, and
 * writes them to `ctx.state` only.
 */
export function statefulCall(
  layer: LayerInternals,
  ctx: Context,
  pathOf: (variable: VariableInternals) => string,
): LayerCall {
  const { state } = ctx;
  const epsilon = layer.epsilon ?? 1e-3;
  const path = (variable: VariableInternals): string => joinPath(ctx.path, pathOf(variable));
  const moving = (variable: VariableInternals): tf.Tensor => state?.get(path(variable)) ?? variable.read();
  const record = (variable: VariableInternals, batch: tf.Tensor): void => {
    const momentum = layer.momentum ?? 0.99;
    const blended = tf.add(
      tf.mul(moving(variable), momentum),
      tf.mul(tf.reshape(batch, variable.shape as number[]), 1 - momentum),
    );
    state?.set(path(variable), blended);
  };
  return (inputs) =>
    tf.tidy(() => {
      const x = Array.isArray(inputs) ? inputs[0]! : inputs;
      const axis = ((layer.axis ?? -1) + x.rank) % x.rank;
      const wide = x.shape.map((size, i) => (i === axis ? size : 1));
      const parameter = (variable: VariableInternals | null | undefined): tf.Tensor | undefined =>
        variable ? tf.reshape(variable.read(), wide) : undefined;
      const [gamma, beta] = [parameter(layer.gamma), parameter(layer.beta)];
      let y: tf.Tensor;
      if (ctx.train) {
        const axes = x.shape.map((_, i) => i).filter((i) => i !== axis);
        const normalized = normalize(x, axes, epsilon);
        if (state) {
          record(layer.movingMean!, normalized.mean);
          record(layer.movingVariance!, normalized.variance);
        }
        y = normalized.y;
      } else {
        const [mean, variance] = [moving(layer.movingMean!), moving(layer.movingVariance!)];
        y = tf.mul(tf.sub(x, tf.reshape(mean, wide)), tf.rsqrt(tf.add(tf.reshape(variance, wide), epsilon)));
      }
      if (gamma) y = tf.mul(y, gamma);
      return beta ? tf.add(y, beta) : y;
    });
}
