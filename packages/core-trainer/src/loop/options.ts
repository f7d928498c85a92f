import {
  type Context,
  type Dataset,
  FrugalError,
  type GradientEstimator,
  type GradientTransformation,
  type Key,
  type Meter,
  type Tree,
} from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import type { Stream } from '../data/index.ts';
import type { GuardOptions } from '../guards/index.ts';
import type { WithAverageOptions } from '../transforms/index.ts';
import { checkCadence } from './cadence.ts';
import type { Hook, Listener } from './hook.ts';
import type { Checkpoints } from './save-to.ts';
import type { LossTask, ObjectiveTask } from './task.ts';

/** Measures parameters on data that they are not trained on; `params` stay the loop's. */
export type Evaluate<P extends Tree> = (
  params: P,
  ctx: Context,
) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;

/** When to evaluate; always at the end too. */
export interface EvaluateOptions<P extends Tree, B> {
  on: Dataset<B> | Evaluate<P>;
  /** Default 1, unless `everySteps` is given. */
  everyEpochs?: number;
  everySteps?: number;
}

/** How a run is made, whatever it learns. */
export interface RunOptions<P extends Tree, B> {
  optimizer: GradientTransformation;
  /** A `Dataset`, or batches as they come (then the run cannot be resumed). The loop frees each batch. */
  data: Dataset<B> | Stream<B>;
  /** Everything random in the run follows from it: parameters, order of the data, dropout. */
  key: Key;
  /** How the gradient is found. Default `backprop()`. */
  estimator?: GradientEstimator;
  /** Passes over the data. At least one of `epochs` and `steps` is needed. */
  epochs?: number;
  /** Updates to make in all. */
  steps?: number;
  /** Parameters to start from instead of fresh ones, copied; e.g. for fine-tuning. */
  params?: P;
  /** Module state to start from, copied. */
  state?: Readonly<Record<string, Tensor>>;
  /** Data to measure the loss and the objective's metrics on, or a function that measures what it likes. */
  evaluate?: Dataset<B> | Evaluate<P> | EvaluateOptions<P, B>;
  /** Where the run is saved and resumed: `saveTo(store)`. */
  checkpoint?: Checkpoints;
  /** What to do about NaN and infinity. Default `{ nonFinite: 'stop' }`. */
  guards?: GuardOptions;
  /** Keeps an exponential moving average of the parameters; a number is its decay per step. */
  ema?: number | WithAverageOptions;
  hooks?: readonly Hook[];
  listeners?: readonly Listener[];
  /** Ends the run after the current step. */
  signal?: AbortSignal;
  /** Counts what the steps cost; totals come with the `epoch` and `end` events. */
  meter?: Meter;
  /**
   * Losses are read from the device every so many steps, together. Default 1 where reading is free (cpu, wasm,
   * tensorflow), else 10.
   */
  readEvery?: number;
  /** Milliseconds of work after which other tasks of the thread get their turn. Default 16. */
  yieldEvery?: number;
}

/** What `train` needs to know: what to learn, by a loss or by an objective, and how. */
export type TrainOptions<P extends Tree, B> = LossTask<P, B> & RunOptions<P, B>;

/** `TrainOptions` with an objective. */
export type TrainObjectiveOptions<
  P extends Tree,
  B extends Tree,
  X extends Tree = Tensor,
  Y extends Tree = Tensor,
> = ObjectiveTask<P, B, X, Y> & RunOptions<P, B>;

/** Either kind. */
export type AnyTrainOptions<P extends Tree, B> = (LossTask<P, B> | ObjectiveTask<P, B & Tree, Tree, Tree>) &
  RunOptions<P, B>;

/** @throws {FrugalError} `INVALID_ARGUMENT`, before anything has happened. */
export function checkTrainOptions<P extends Tree, B>(options: AnyTrainOptions<P, B>): void {
  const { epochs, steps, evaluate, hooks = [], readEvery = 1, yieldEvery = 16, guards = {} } = options;
  const positive = { min: 1, integer: true };
  if (epochs === undefined && steps === undefined) {
    throw new FrugalError('INVALID_ARGUMENT', 'train needs epochs or steps, and got neither. Pass epochs: 1.');
  }
  if (epochs !== undefined) checkNumber('epochs', epochs, { ...positive, min: 0 });
  if (steps !== undefined) checkNumber('steps', steps, { ...positive, min: 0 });
  checkNumber('readEvery', readEvery, positive);
  checkNumber('yieldEvery', yieldEvery, { min: 0 });
  if (typeof evaluate === 'object' && 'on' in evaluate) checkCadence('evaluate', evaluate);
  checkNumber('guards.snapshotEvery', guards.snapshotEvery ?? 100, positive);
  checkNumber('guards.limit', guards.limit ?? 1, { ...positive, min: 0 });
  if (guards.nonFinite === 'skip' && readEvery > 1) {
    throw new FrugalError(
      'INVALID_ARGUMENT',
      `guards.nonFinite 'skip' has to know the loss before the update, and readEvery is ${readEvery}. Leave readEvery out.`,
    );
  }
  const { loss, objective, model } = options as { loss?: unknown; objective?: unknown; model: { apply?: unknown } };
  if ((loss === undefined) === (objective === undefined)) {
    const got = loss === undefined ? 'neither' : 'both';
    throw new FrugalError('INVALID_ARGUMENT', `train needs a loss or an objective, and got ${got}. Pass one of them.`);
  }
  if (objective !== undefined && typeof model.apply !== 'function') {
    throw new FrugalError(
      'INVALID_ARGUMENT',
      'objective needs a model with apply, and it has only init. Pass a Module.',
    );
  }
  const names = hooks.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new FrugalError('INVALID_ARGUMENT', `hooks: two are called '${twice}'. Give each a name of its own.`);
  }
}
