export { type Calibration, calibrateAccuracy, calibrateBudget, thresholdCalibration } from './calibrate.ts';
export { type ExitCosts, exitCosts } from './exit-costs.ts';
export { type ExitLossOptions, exitLoss } from './exit-loss.ts';
export {
  type ExitModel,
  type ExitParams,
  type ExitSpec,
  type OutputsOptions,
  pickExits,
  withExits,
} from './exit-model.ts';
export { type ExitPhase, type ExitPhasesOptions, exitPhases } from './exit-phases.ts';
export {
  type ExitTable,
  exitsOf,
  type Outcome,
  oracle,
  outcomeOf,
  pickColumns,
  recordExits,
  type ScoredTable,
  scoreTable,
} from './exit-table.ts';
export { type ExitTimesOptions, exitTimes } from './exit-times.ts';
export {
  type Gallery,
  type GalleryImages,
  type GalleryItem,
  gallerySvg,
  galleryText,
  pickGallery,
} from './gallery.ts';
export { boostedHead, cascadedHead, type ExitHead, plainHead } from './heads.ts';
export {
  arithmeticEnsemble,
  type ExitPolicy,
  entropyOf,
  type FitGateOptions,
  fitGate,
  fixedDepth,
  type GateWeights,
  geometricEnsemble,
  learnedGate,
  lowEntropy,
  makePolicy,
  margin,
  maxProbability,
  patience,
  probabilityMargin,
  rowPolicy,
  type Scorer,
  topProbability,
} from './policies/index.ts';
export { auroc, calibrationError, exitCurve, type HeadReport, headReports } from './report.ts';
export { type RiskCalibration, type RiskOptions, riskControl, upperBound } from './risk-control.ts';
export { type ExitRun, type RunExitsOptions, runExits } from './run-exits.ts';
export { scaleGradient, stopGradient } from './stop-gradient.ts';
export type { CacheTools } from './tokens/cached-model.ts';
export { type DecodeEarlyOptions, decodeEarly, type EarlyToken } from './tokens/decode-early.ts';
export {
  runSaturation,
  type SaturationCosts,
  type SaturationOptions,
  type SaturationRun,
  saturationCosts,
} from './tokens/run-saturation.ts';
export { runTokenExits, type TokenCosts, type TokenRun, tokenCosts } from './tokens/run-token-exits.ts';
export { type SpeculateOptions, type Speculation, speculate } from './tokens/speculate.ts';
export type { TokenCost } from './tokens/token-costs.ts';
