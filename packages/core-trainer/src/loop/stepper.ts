import {
  type Estimate,
  foldIn,
  type GradientEstimator,
  type GradientTransformation,
  type Key,
  type LossFunction,
  type Meter,
  type Tree,
  treeDispose,
  type UpdateExtra,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { takeStep } from '../transforms/index.ts';
import type { Progress } from './progress.ts';
import type { Task } from './task.ts';

/** One training step in its two halves, so that a guard can stand between them. */
export class Stepper<P extends Tree, B> {
  readonly #loss: LossFunction<P, B>;
  readonly #plan: Task<P, B>['plan'];
  readonly #estimator: GradientEstimator;
  readonly #optimizer: GradientTransformation;
  readonly #key: Key;
  readonly #meter: Meter | undefined;

  constructor(parts: {
    loss: LossFunction<P, B>;
    plan: Task<P, B>['plan'];
    estimator: GradientEstimator;
    optimizer: GradientTransformation;
    key: Key;
    meter: Meter | undefined;
  }) {
    this.#loss = parts.loss;
    this.#plan = parts.plan;
    this.#estimator = parts.estimator;
    this.#optimizer = parts.optimizer;
    this.#key = parts.key;
    this.#meter = parts.meter;
  }

  #metered<R>(f: () => R): R {
    return this.#meter === undefined ? f() : this.#meter.run(f);
  }

  /** Of a step: of its gradient (0) and of its update (1). */
  #keyOf(step: number, use: 0 | 1): Key {
    return foldIn(this.#key, 2 * step + use);
  }

  /** The batch with its plans, which takes its place; undefined where nothing is planned. */
  plan({ params, state, step }: Progress<P>, batch: B): Promise<B> | undefined {
    const plan = this.#plan;
    if (plan === undefined) return undefined;
    const scratch = state.clone();
    const ctx = { train: true, key: this.#keyOf(step, 0), state: scratch };
    return this.#metered(() => plan(params, batch, ctx)).finally(() => scratch.dispose()) as Promise<B>;
  }

  /** The loss and the gradient on a batch; module state moves on. The caller owns the estimate. */
  estimate({ params, state, step }: Progress<P>, batch: B): Estimate {
    const key = this.#keyOf(step, 0);
    return this.#metered(() => this.#estimator(this.#loss, params, batch, key, { train: true, state }));
  }

  /** Updates the parameters; the estimate and the batch stay. */
  apply(progress: Progress<P>, batch: B, { loss, grads }: Estimate): void {
    const { params, optimizer, state, step } = progress;
    const evaluate = (at: Tree): tf.Scalar => {
      const scratch = state.clone();
      const ctx = { train: true, key: this.#keyOf(step, 0), state: scratch };
      try {
        return tf.tidy(() => tf.mean(this.#loss(at as P, batch, ctx)));
      } finally {
        scratch.dispose();
      }
    };
    const extra: UpdateExtra = { step, loss, key: this.#keyOf(step, 1), evaluate };
    const [moved, next] = this.#metered(() => takeStep(this.#optimizer, grads, optimizer, params, extra));
    progress.params = moved;
    progress.optimizer = next;
    progress.step = step + 1;
  }
}

/** Frees what an estimator returned. */
export function disposeEstimate({ loss, grads }: Estimate): void {
  loss.dispose();
  treeDispose(grads);
}
