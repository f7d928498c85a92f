export type { Hook, HookState, Listener, LiveRun } from './hook.ts';
export type { CheckpointOptions, Evaluate, EvaluateOptions, TrainOptions } from './options.ts';
export { train } from './train.ts';
