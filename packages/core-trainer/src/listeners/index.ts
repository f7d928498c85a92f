export { type EarlyStoppingOptions, earlyStopping } from './early-stopping.ts';
export { jsonl } from './jsonl.ts';
export { type Best, type KeepBest, keepBest } from './keep-best.ts';
export { tensorBoard } from './tensorboard.ts';
export type { WatchOptions } from './watch.ts';
