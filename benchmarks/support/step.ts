import { backprop, takeStep } from '@frugal/core-trainer';
import { type GradientTransformation, type Key, key, type Module, type Tree, treeDispose } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

/** One training step as `train` takes it, on one batch again and again: gradient, then the optimizer's step in place. */
export interface TrainingStep {
  (): void;
  /** The mean loss of the last step. */
  loss(): Promise<number>;
  dispose(): void;
}

export interface StepOptions<P extends Tree> {
  readonly model: Module<P>;
  readonly optimizer: GradientTransformation;
  readonly loss: (output: tf.Tensor, target: tf.Tensor) => tf.Tensor1D;
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
  readonly seed?: Key;
}

/** Makes such a step on tfjs's current backend. The batch stays the caller's. */
export function trainingStep<P extends Tree>({
  model,
  optimizer,
  loss,
  x,
  y,
  seed = key(1),
}: StepOptions<P>): TrainingStep {
  let params = model.init(seed);
  let state = optimizer.init(params);
  let last: tf.Scalar | undefined;
  let count = 0;
  const estimate = backprop();
  const of = (p: P, _: undefined, ctx: { train: boolean }): tf.Tensor1D => loss(model.apply(p, x, ctx), y);
  const step = (): void => {
    const { loss: value, grads } = estimate(of, params, undefined, seed);
    [params, state] = takeStep(optimizer, grads, state, params, { step: count++, loss: value });
    treeDispose(grads);
    last?.dispose();
    last = value;
  };
  return Object.assign(step, {
    loss: async () => (await last!.data())[0]!,
    dispose: () => {
      last?.dispose();
      treeDispose([params, state]);
    },
  });
}
