import {
  type Context,
  FrugalError,
  type Labelled,
  type LossFunction,
  layerwiseLoss,
  type Module,
  type Tree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ChoiceContext, TrainedChoice } from '../boost.ts';
import { checkNumber } from '../check.ts';
import type { Teaching } from '../teaching.ts';

/**
 * Phase 1: every boosted layer learns by itself what the layer computed that it replaced.
 *
 * Mean over k = 1, …, N of ‖s₁(z) + … + s_k(z) − original(z)‖² ÷ width, on the tokens z that the trained network has there. Only
 * learners (and the layers' biases) get a gradient.
 *
 * @param model With boosted layers.
 * @param trained Parameters of the dense network: at a boosted layer's path `{ fc1, fc2 }` or `{ weight, bias }`.
 * @returns A loss [B] for any trainer; labels are not used.
 */
export function distillLoss<P extends Tree>(model: Module<P>, trained: Tree): LossFunction<P, Labelled> {
  const lesson: Teaching = { what: 'learners', trained, factor: 1 };
  return layerwiseLoss(model, lesson);
}

/**
 * Phase 2: gates learn made labels by cross-entropy, the learners frozen.
 *
 * The label of a token is the smallest n ≥ 2 with d(n) ≥ factor · d(n − 1), N where there is none; d(n) is the distance of
 * the first n learners from the original output. Only gates get a gradient.
 *
 * @param factor In (0, 1]. Default 1 ÷ 1.2.
 */
export function gateLoss<P extends Tree>(
  model: Module<P>,
  trained: Tree,
  factor: number = 1 / 1.2,
): LossFunction<P, Labelled> {
  checkNumber('gateLoss: factor', factor, { min: 1e-6, max: 1 });
  const lesson: Teaching = { what: 'gate', trained, factor };
  return layerwiseLoss(model, lesson);
}

/** Options of `boostLoss`. */
export interface BoostLossOptions {
  /** Mean share of the learners' cost that is to be used, in [0, 1]. */
  readonly target: number;
  /** Weight of the budget loss. Default 0.1. */
  readonly budget?: number;
  /** Weight of the entropy loss: choices inside an example are to differ. Default 0.05. */
  readonly entropy?: number;
  /** Weight of the diversity loss: examples are to differ in compute. Default 0.05. */
  readonly diversity?: number;
}

/**
 * Phase 3, or training from scratch: the task, and losses on the choices (arXiv 2312.10193).
 *
 *     task + 0.1 · |used share of the cost − target| − 0.05 · entropy − 0.05 · diversity
 *
 * The share weighs layers by their cost. Entropy is that of the mean choice over the tokens of an example, divided by its
 * maximum, mean over layers; diversity the mean |difference| of two examples' learners per token.
 * With the budget loss alone gates tend to choose one number for all tokens.
 *
 * @param task One value per example from outputs and labels.
 * @returns A loss [B] for any trainer; its context brings the key of the sampled choices.
 */
export function boostLoss<P extends Tree>(
  model: Module<P>,
  task: (output: tf.Tensor, y: tf.Tensor) => tf.Tensor1D,
  options: BoostLossOptions,
): LossFunction<P, Labelled> {
  const { target, budget = 0.1, entropy = 0.05, diversity = 0.05 } = options;
  checkNumber('boostLoss: target', target, { min: 0, max: 1 });
  return (params, { x, y }, ctx) => {
    const made: TrainedChoice[] = [];
    const choosing: ChoiceContext = {
      ...ctx,
      train: true,
      choices: (_, { choice, ...rest }) => made.push({ choice: tf.keep(tf.clone(choice)), ...rest }),
    };
    try {
      return tf.tidy(() => {
        const own = task(model.apply(params, x, choosing as Context), y);
        if (made.length === 0) throw new FrugalError('NO_LAYERS', 'The model has no boosted layers.');
        const usage = made.map((one) => usageOf(one, x.shape[0]!));
        const shared = tf.add(tf.mul(budgetLoss(usage, target), budget), tf.mul(diversityLoss(usage), diversity));
        return tf.add(tf.add(own, tf.mul(entropyLoss(usage), entropy)), shared) as tf.Tensor1D;
      });
    } finally {
      for (const { choice } of made) choice.dispose();
    }
  };
}

/** How one layer used its learners. */
interface Usage {
  /** Mean choice over the tokens of each example [B, choices]. */
  readonly mixture: tf.Tensor2D;
  /** Mean learners per token of each example [B]. */
  readonly learners: tf.Tensor1D;
  readonly most: number;
  readonly flops: number;
}

function usageOf({ choice, gate, flops }: TrainedChoice, examples: number): Usage {
  const choices = choice.shape[1]!;
  const mixture = tf.mean(tf.reshape(choice, [examples, -1, choices]), 1) as tf.Tensor2D;
  const counts = tf.tensor2d(
    Array.from({ length: choices }, (_, c) => gate.min + c),
    [choices, 1],
  );
  return { mixture, learners: tf.reshape(tf.matMul(mixture, counts), [examples]), most: gate.learners, flops };
}

function budgetLoss(usage: readonly Usage[], target: number): tf.Tensor {
  const most = usage.reduce((sum, { most, flops }) => sum + most * flops, 0);
  const used = tf.addN(usage.map(({ learners, flops }) => tf.mul(tf.mean(learners), flops / most)));
  return tf.abs(tf.sub(used, target));
}

/** Negative entropy per example, 0 to −1. */
function entropyLoss(usage: readonly Usage[]): tf.Tensor {
  const each = usage.map(({ mixture }) => {
    const choices = mixture.shape[1];
    return tf.div(tf.sum(tf.mul(mixture, tf.log(tf.add(mixture, 1e-12))), 1), Math.log(choices));
  });
  return tf.div(tf.addN(each), each.length);
}

/** Negative mean difference between two examples, in learners per token. */
function diversityLoss(usage: readonly Usage[]): tf.Tensor {
  const mean = tf.div(tf.addN(usage.map(({ learners }) => learners)), usage.length);
  return tf.neg(tf.mean(tf.abs(tf.sub(tf.expandDims(mean, 1), tf.expandDims(mean, 0)))));
}
