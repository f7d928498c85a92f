import type { Dataset, GradientEstimator, LossFunction, Module, Tree } from '@frugal/tensor';
import type { Config } from '../config.ts';
import type { Drawn, Knobs, View } from '../protocol.ts';

/** What can be learnt in the lab. */
export interface Task {
  readonly model: Module<Tree>;
  readonly data: Dataset<Tree>;
  readonly loss: LossFunction<Tree, Tree>;
  /** What `evaluate` measures, for people: higher is better. */
  readonly metric: string;
  /** From which value on it counts as learnt. */
  readonly goal: number;
  /** Steps between two evaluations. */
  readonly every: number;
  evaluate(params: Tree): Promise<number>;
  /** Draws what the network does. Called a few times a second. */
  view(params: Tree): Promise<View>;
  /** A forward pass on a fixed batch, to look at activations. */
  pass(params: Tree): void;
  /** Names of the layers whose activations are looked at. */
  readonly layers: readonly string[];
  /** Answers a drawn digit. */
  digit?(params: Tree, pixels: Uint8Array): Promise<Drawn>;
  /** A gradient that this task wants instead of the general one. */
  readonly estimator?: GradientEstimator;
}

/** `knobs` are as they are now, whenever the task looks. */
export type MakeTask = (config: Config, knobs: Knobs) => Promise<Task>;
