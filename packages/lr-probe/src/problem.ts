import type { Context, Dataset, GradientEstimator, GradientTransformation, Key, Schedule, Tree } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';

/** How wrong the parameters are on a batch: a value per example `[B]`, or one number. */
export type ProbeLoss<P extends Tree, B> = (params: P, batch: B, ctx: Context) => Tensor;

/** What a probe looks at. Everything in it stays as it is: a probe leaves no trace. */
export interface Problem<P extends Tree = Tree, B = Tree> {
  readonly loss: ProbeLoss<P, B>;
  /** Where to look: the parameters that training would start (or go on) from. */
  readonly params: P;
  /** What training would see: a `Dataset`, or batches, which stay the caller's. */
  readonly data: Dataset<B> | readonly B[];
  /** Order of the data, dropout, random vectors: equal keys give equal results. */
  readonly key: Key;
  /** Module state to start from (running statistics of batch norm). */
  readonly state?: Readonly<Record<string, Tensor>>;
  /** How the gradient is found. Default: reverse mode. */
  readonly estimator?: GradientEstimator;
}

/** An optimizer waiting for its learning rate, e.g. `(rate) => adamw(rate, { weightDecay: 0.05 })`. */
export type OptimizerFactory = (learningRate: number | Schedule) => GradientTransformation;

/** What a probe tells while it works, e.g. to a progress bar. */
export interface ProbeEvent {
  /** Which probe: `'criticalRate'`, `'rangeTest'`, `'miniature'`, … */
  readonly probe: string;
  /** Evaluations or steps made so far in this probe. */
  readonly done: number;
  /** How many it will be, where that is known. */
  readonly total?: number;
  /** The learning rate that is being tried. */
  readonly rate?: number;
  /** The last loss. */
  readonly loss?: number;
}

/** What every probe takes. */
export interface ProbeOptions {
  /** Ends the probe with the signal's reason; nothing is left behind. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: ProbeEvent) => void;
}

/** What a probe cost. */
export interface ProbeCost {
  /** Forward passes over a batch. */
  readonly forwards: number;
  /** Gradients of a batch, each with its forward pass. */
  readonly gradients: number;
  /** 2 per multiply-add. */
  readonly flops: number;
  readonly ms: number;
}

/** Where an optimizer stands, for probes in the middle of a run. Left out: at its start. */
export interface OptimizerPosition {
  /** Stays the caller's. */
  readonly state: Tree;
  /** Updates made so far. */
  readonly step: number;
}
