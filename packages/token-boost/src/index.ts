export { withPlans } from '@frugal/tensor';
export {
  type BoostLayer,
  type BoostOptions,
  type BoostParams,
  type BoostRun,
  type TrainedChoice,
  tokenBoost,
} from './boost.ts';
export { type BoostedBlock, type BoostedBlockOptions, boostedBlock } from './boosted-block.ts';
export { boostParams } from './convert.ts';
export {
  type CountOptions,
  fixedGate,
  type Gate,
  type MlpGateOptions,
  type MlpGateParams,
  mlpGate,
  selectCounts,
} from './gate.ts';
export type { Learners, LearnersParams, LearnersShape } from './learners.ts';
export { type BoostLossOptions, boostLoss, distillLoss, gateLoss } from './phases/losses.ts';
export { histogramSvg, histogramText } from './pictures/histogram.ts';
export { type ImageMap, imageMapSvg, imageMapText } from './pictures/image-map.ts';
export { textMapSvg, textMapText } from './pictures/text-map.ts';
export { type BoostPlan, planCounts } from './plan.ts';
export {
  type CalibrateBudgetOptions,
  calibrateBudget,
  type ModelRun,
  planModel,
  type RunModelOptions,
  runModel,
} from './run-model.ts';
export { straightThrough } from './straight-through.ts';
export { computeShares, type LayerUsage, layerUsage } from './usage.ts';
