export type { Hook, HookState, Listener, LiveRun } from './hook.ts';
export type {
  Evaluate,
  EvaluateOptions,
  RunOptions,
  TrainObjectiveOptions,
  TrainOptions,
} from './options.ts';
export type { Planner } from './planned.ts';
export { type Checkpoints, type SaveToOptions, saveTo } from './save-to.ts';
export { type EvaluateOnOptions, evaluate, type LossTask, type ObjectiveTask } from './task.ts';
export { train } from './train.ts';
