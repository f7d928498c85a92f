import type { Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import type { Key } from './key.ts';
import type { Context } from './module.ts';
import type { Tree, UpdateTree } from './tree.ts';

/** How wrong the parameters are on a batch: a vector `[B]`, one value per example. */
export type LossFunction<P extends Tree = Tree, B = Tree> = (params: P, batch: B, ctx: Context) => Tensor1D;

/** What a gradient estimator returns; the caller owns every tensor in it. */
export interface Estimate {
  /** The mean of the loss over the batch. */
  loss: Scalar;
  /** Same structure as the parameters. */
  grads: UpdateTree;
  /** What the estimator wants recorded, e.g. the scalars of a forward gradient. */
  aux?: Record<string, number | readonly number[]>;
}

/**
 * How an error becomes a correction: estimates the gradient of the mean loss.
 *
 * Backprop, forward gradients, SPSA, … all have this type. `ctx` carries state and taps; its key is `key`.
 */
export type GradientEstimator = <P extends Tree, B>(
  loss: LossFunction<P, B>,
  params: P,
  batch: B,
  key: Key,
  ctx?: Omit<Context, 'key'>,
) => Estimate;

/** Values a transformation may use beside the gradient; unused ones are ignored. */
export interface UpdateExtra {
  /**
   * Updates made before this one: 0 at the first. Schedules and bias corrections read it, so no counter has to be read
   * back from a device, and a resumed run passes on where it stopped.
   */
  step: number;
  /** The mean loss of this step. */
  loss?: Scalar | undefined;
  /** Re-evaluates the mean loss at other parameters on the same batch. */
  evaluate?: ((params: Tree) => Scalar) | undefined;
  key?: Key | undefined;
}

/**
 * A composable piece of an optimizer (the shape of optax): all state is an explicit tree.
 *
 * Ownership: what is returned is new and belongs to the caller, `update` disposes nothing it was given.
 */
export interface GradientTransformation<S extends Tree = Tree> {
  /** The state before the first step. */
  init(params: Tree): S;
  /** Updates (to be *added* to the parameters) and the next state. */
  update(grads: UpdateTree, state: S, params: Tree, extra: UpdateExtra): [UpdateTree, S];
  /**
   * `update` and adding the result, in few kernels: parameters and state are donated (disposed or reused), `grads` stay.
   *
   * Optional; equal to `update` followed by adding, which the contract kit checks. The loop prefers it.
   * A `tf.Variable` among the parameters is not disposed: its owner assigns the result to it.
   */
  step?<P extends Tree>(grads: UpdateTree, state: S, params: P, extra: UpdateExtra): [P, S];
  /** The kinds of structured leaves that are accepted; the others arrive materialised. */
  readonly accepts?: readonly string[];
  /** The parameters to evaluate and to ship, where they are not the trained ones (averages, schedule-free); new tensors. */
  evaluationParams?<P extends Tree>(state: S, params: P): P;
  /** The hyperparameters that hold at a step, for logs. */
  hyperparams?(step: number): Readonly<Record<string, number>>;
}

/** A hyperparameter over the steps of a run, the first being step 0. */
export type Schedule = (step: number) => number;

/** Where a run stands in its data. */
export interface DataPosition {
  readonly epoch: number;
  /** Batches of this epoch that were consumed already. */
  readonly batch: number;
}

/** Data that can be read again from any batch of any epoch. */
export interface Dataset<B = Tree> {
  /** Examples in an epoch. */
  readonly size: number;
  readonly batchSize: number;
  readonly batchesPerEpoch: number;
  /** The batches of an epoch in the order given by `key`, starting at batch `from`. The consumer owns each batch. */
  batches(options: { key: Key; epoch: number; from?: number }): AsyncIterable<B>;
}

/** A labelled batch: inputs and targets. */
export type Labelled = { readonly x: Tensor; readonly y: Tensor };
