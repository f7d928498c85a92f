import { type Context, type Module, type Taps, type Tree, withPlans } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { DispatchPlan } from './plan.ts';
import type { Plans } from './plans.ts';

/** A balance loss of one layer: its logits [tokens, experts], its plan, where it stands. */
export type BalanceLoss = (logits: tf.Tensor, plan: DispatchPlan, path: string) => tf.Tensor;

/** An output with what is to be added to its loss. */
export interface Balanced {
  readonly output: tf.Tensor;
  /** The sum over the layers: a scalar, 0 without layers. */
  readonly loss: tf.Tensor;
}

const suffix = 'router';

/**
 * Applies a model under its plans, and a balance loss to the logits of each layer in it; differentiable.
 *
 *     const { output, loss } = applyBalanced(model, params, x, plans, (logits, plan) => tf.mul(switchLoss(logits, plan), 0.01));
 *
 * @param plans Of this batch, by `routeModel` or `layer.route`.
 * @returns Both are the caller's.
 */
export function applyBalanced<P extends Tree>(
  model: Module<P>,
  params: P,
  x: tf.Tensor,
  plans: Plans,
  balance: BalanceLoss,
  ctx: Context = { train: true },
): Balanced {
  const losses: tf.Tensor[] = [];
  const taps: Taps = {
    set(path, output) {
      ctx.taps?.set(path, output);
      const layer = path === suffix ? '' : path.endsWith(`.${suffix}`) ? path.slice(0, -suffix.length - 1) : undefined;
      const plan = layer === undefined ? undefined : plans.get(layer);
      // Taps are called inside of the tidies of the model, which the loss must outlive.
      if (plan !== undefined) losses.push(tf.keep(tf.tidy(() => balance(output, plan, layer!))));
    },
  };
  try {
    return tf.tidy(() => {
      const output = model.apply(params, x, withPlans(plans, { ...ctx, taps }));
      const loss = losses.reduce((sum, one) => tf.add(sum, one), tf.scalar(0) as tf.Tensor);
      return { output, loss };
    });
  } finally {
    tf.dispose(losses);
  }
}
