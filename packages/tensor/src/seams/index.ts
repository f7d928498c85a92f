export type { BackendProvider, Report, Started } from './backend.ts';
export type { DynamicRun } from './dynamic.ts';
export type { Key } from './key.ts';
export type { Context, Module, Stage, Staged, State, Taps } from './module.ts';
export type { Event, Run, RunResult } from './run.ts';
export type {
  DataPosition,
  Dataset,
  Estimate,
  GradientEstimator,
  GradientTransformation,
  Labelled,
  LossFunction,
  Schedule,
  UpdateExtra,
} from './training.ts';
export type { StructuredLeaf, Tree, UpdateTree } from './tree.ts';
