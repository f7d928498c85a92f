export { FitCallback, type FitHooks, type FitParams, type Logs } from './callback.ts';
export { type ResumedFit, resumeFit, type SaveCheckpointsOptions, saveCheckpoints } from './checkpoint.ts';
export { withEvaluationWeights } from './evaluation.ts';
export { type ListenOptions, listenToFit } from './listen.ts';
export { meterFit } from './meter.ts';
export { LayersOptimizer, toLayersOptimizer } from './optimizer.ts';
export { scheduleLearningRate } from './schedule.ts';
