export { type AccumulateState, accumulate } from './accumulate.ts';
export { applyUpdates, takeStep } from './apply.ts';
export {
  type AverageState,
  type EmaOptions,
  type EmaState,
  ema,
  type WithAverageOptions,
  withAverage,
} from './average.ts';
export { type ChainState, chain } from './chain.ts';
export {
  type AdaptiveClipOptions,
  clipAdaptively,
  clipByBlockRms,
  clipByGlobalNorm,
  clipByValue,
  globalNorm,
} from './clip.ts';
export { addDecayedWeights, type DecayOptions } from './decay.ts';
export {
  type FactoredMoment,
  type FactoredRmsOptions,
  type FactoredState,
  scaleByFactoredRms,
  scaleByParameterRms,
} from './factored.ts';
export { injectHyperparams } from './inject.ts';
export { type Mask, type MaskedOptions, masked, matricesOnly } from './mask.ts';
export {
  type AdamState,
  type RmsState,
  type ScaleByAdamOptions,
  type ScaleByLionOptions,
  type ScaleByRmsOptions,
  scaleByAdam,
  scaleByLion,
  scaleByRms,
  type TraceOptions,
  type TraceState,
  trace,
} from './moments.ts';
export { type OrthogonalizationOptions, orthogonalize, scaleByOrthogonalization } from './orthogonalize.ts';
export { freeze, type PartitionState, partition } from './partition.ts';
export { type PlateauOptions, type PlateauState, reduceOnPlateau } from './plateau.ts';
export { identity, scale, scaleByLearningRate, scaleBySchedule } from './scale.ts';
export type { NoState } from './support.ts';
