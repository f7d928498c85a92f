export type { Hook, HookState, Listener, LiveRun } from './hook.ts';
export type {
  CheckpointOptions,
  Evaluate,
  EvaluateOptions,
  RunOptions,
  TrainObjectiveOptions,
  TrainOptions,
} from './options.ts';
export { type EvaluateOnOptions, evaluate, type LossTask, type ObjectiveTask } from './task.ts';
export { train } from './train.ts';
