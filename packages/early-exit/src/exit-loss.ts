import { FrugalError, type Labelled, type LossFunction, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitModel, ExitParams } from './exit-model.ts';
import { stopGradient } from './stop-gradient.ts';

/** How the exits are taught. */
export interface ExitLossOptions {
  /**
   * - `'joint'`: backbone and heads together, from the start;
   * - `'backbone'`: the final output alone, the first phase of mixed training;
   * - `'disjoint'`: the heads alone, on a backbone that gets no gradient.
   *
   * Mixed training (arXiv 2407.14320) is `'backbone'` until it has learnt, then `'joint'`: see `exitPhases`.
   */
  readonly regime?: 'joint' | 'backbone' | 'disjoint';
  /** Weight of each exit, the final one last. Default 1 each. */
  readonly weights?: readonly number[];
  /**
   * Self-distillation: adds this times the cross-entropy between each early exit and the final output's distribution
   * (softened by `temperature`, times temperature²). Default 0.
   */
  readonly distill?: number;
  /** Default 2. */
  readonly temperature?: number;
  /** Averages the gradients of the exits in the backbone instead of adding them up; goes with boosted heads. Default false. */
  readonly rescaled?: boolean;
}

/** −Σ q log softmax(z / T), [B], the mean over the tokens of a sequence; the gradient into q is stopped. */
function distillation(logits: tf.Tensor, teacher: tf.Tensor, temperature: number): tf.Tensor1D {
  const target = tf.softmax(tf.div(stopGradient(teacher), temperature));
  const each = tf.sum(tf.mul(target, tf.logSoftmax(tf.div(logits, temperature))), -1);
  const mean = each.rank > 1 ? tf.mean(tf.reshape(each, [each.shape[0]!, -1]), 1) : each;
  return tf.mul(mean, -temperature * temperature) as tf.Tensor1D;
}

/**
 * The loss of a model with exits, Σₑ wₑ · loss(logitsₑ, y), as gradient estimators take it.
 *
 * @param loss One value per example from logits and targets, e.g. `softmaxCrossEntropy`.
 * @throws {FrugalError} `BAD_OPTION` if there are not as many weights as exits.
 */
export function exitLoss<P extends Tree>(
  model: ExitModel<P>,
  loss: (logits: tf.Tensor, y: tf.Tensor) => tf.Tensor1D,
  options: ExitLossOptions = {},
): LossFunction<ExitParams<P> & Tree, Labelled> {
  const { regime = 'joint', distill = 0, temperature = 2, rescaled = false } = options;
  const weights = options.weights ?? Array.from({ length: model.exitCount }, () => 1);
  if (weights.length !== model.exitCount) {
    throw new FrugalError(
      'BAD_OPTION',
      `exitLoss: weights are one per exit, the final one last: ${model.exitCount}, got ${weights.length}.`,
    );
  }
  if (regime === 'backbone') return (params, { x, y }, ctx) => tf.tidy(() => loss(model.apply(params, x, ctx), y));
  const taught = regime === 'disjoint' ? model.exitCount - 1 : model.exitCount;
  return (params, { x, y }, ctx) =>
    tf.tidy(() => {
      const outputs = model.outputs(params, x, { ctx, detached: regime === 'disjoint', rescaled });
      const terms = outputs.slice(0, taught).map((logits, exit): tf.Tensor => {
        const own = loss(logits, y);
        const early = exit < model.exitCount - 1;
        const sum =
          distill > 0 && early ? tf.add(own, tf.mul(distillation(logits, outputs.at(-1)!, temperature), distill)) : own;
        return tf.mul(sum, weights[exit]!);
      });
      return tf.addN(terms) as tf.Tensor1D;
    });
}
