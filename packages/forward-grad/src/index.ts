export { activityPerturbation } from './activity/activity-perturbation.ts';
export {
  type CheckpointedBackprop,
  type CheckpointedBackpropOptions,
  checkpointedBackprop,
} from './baselines/checkpointed-backprop.ts';
export {
  cosineSimilarity,
  type DiagnoseOptions,
  type Diagnosis,
  diagnose,
} from './diagnostics/diagnose.ts';
export {
  expectedCosine,
  expectedProjectionCosineSquared,
  type LawOptions,
  quadraticFactor,
  secondMomentRatio,
} from './diagnostics/laws.ts';
export type { Combination } from './estimators/combine.ts';
export { type ControlVariate, type ControlVariateOptions, controlVariate } from './estimators/control-variate.ts';
export { type EvolutionStrategyOptions, evolutionStrategy } from './estimators/evolution-strategy.ts';
export type { Measurement, ScalarOptions, SeededEstimator } from './estimators/seeded.ts';
export { type SpsaOptions, spsa } from './estimators/spsa.ts';
export { type WeightPerturbationOptions, weightPerturbation } from './estimators/weight-perturbation.ts';
export type { LocalParams } from './local/heads.ts';
export {
  type LocalLearning,
  type LocalLearningOptions,
  type LocalMethod,
  localLearning,
} from './local/local-learning.ts';
export { crossEntropyLoss, type OutputLoss, squaredErrorLoss } from './local/output-loss.ts';
export type { Head } from './local/signal.ts';
export { type Recorder, record } from './log/record.ts';
export { type ReplayOptions, replay } from './log/replay.ts';
export { decodeSteps, encodeSteps, type LoggedStep, type StepLog } from './log/step-log.ts';
export type { DirectionOptions } from './noise/directions.ts';
export type { NoiseKind } from './noise/noise.ts';
