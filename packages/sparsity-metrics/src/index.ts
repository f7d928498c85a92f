export { effectiveRank } from './activations/effective-rank.ts';
export { rectifierOf } from './activations/kernels.ts';
export {
  type CriticalSparsityOptions,
  calibrateThresholds,
  criticalSparsity,
  type Rule,
  type RuleFor,
  type Thresholds,
  thinned,
  thinOut,
  topPSparsity,
} from './activations/near-zero.ts';
export {
  activityPenalty,
  type Penalty,
  type WithActivityPenaltyOptions,
  withActivityPenalty,
} from './activations/penalty.ts';
export { createProbe, type Probe, type ProbeOptions, probeActivations } from './activations/probe.ts';
export type { ActivationReport, LayerActivity } from './activations/report.ts';
export {
  type ActivitySample,
  type ActivityWatch,
  type WatchActivityOptions,
  watchActivity,
} from './activations/watch.ts';
export { type CostReportHtmlOptions, costReportHtml, formatCostReport } from './cost/format.ts';
export {
  type CostEntry,
  type CostLine,
  type CostReport,
  type CostReportOptions,
  costReport,
  type Saving,
  type Spent,
  spentOf,
  spentOfEvents,
} from './cost/report.ts';
export {
  type Allocation,
  type ChinchillaOptions,
  chinchilla,
  chinchillaLoss,
  petaflopDays,
  trainingFlops,
} from './cost/scaling.ts';
export { type Agreement, type AgreementOptions, agreement, type PairAgreement } from './difficulty/agreement.ts';
export { costsOf, difficulty, marginsOf, type Scores } from './difficulty/difficulty.ts';
export { type Extremes, extremes, topOverlap } from './difficulty/overlap.ts';
export { type PredictionDepth, type PredictionDepthOptions, predictionDepth } from './difficulty/prediction-depth.ts';
export type { Amount } from './masks/amount.ts';
export { graspMasks, type SynflowOptions, synflowMasks } from './masks/init-scores.ts';
export { keepPruned, type MaskSource } from './masks/keep-pruned.ts';
export {
  applyMasks,
  type Masks,
  type ParameterSparsity,
  type Prunable,
  type WeightSparsity,
  weightSparsity,
  weightsOnly,
} from './masks/masks.ts';
export { type MovementState, trackMovement } from './masks/movement.ts';
export { type Pattern, type PatternMasksOptions, patternMasks, patternShare } from './masks/nm.ts';
export { magnitudeMasks, type PruneOptions, pruneByScores, randomMasks, snipMasks } from './masks/prune.ts';
export {
  type ErdosRenyiOptions,
  erdosRenyiMasks,
  type GrowBy,
  regrowMasks,
  regrowthShare,
  type SparseFromStart,
  type SparseFromStartOptions,
  sparseFromStart,
} from './masks/regrow.ts';
export { type LayerWork, type RemainingWork, remainingWork } from './masks/remaining.ts';
export { type CubicSparsityOptions, cubicSparsity, geometricSparsity } from './masks/schedule.ts';
export { type LotteryTicketsOptions, lotteryTickets, shuffleMasks, type Ticket } from './masks/tickets.ts';
export { inputNorms, wandaMasks } from './masks/wanda.ts';
export { agreementSvg } from './pictures/agreement-svg.ts';
export { type Curve, type CurvesOptions, curvesSvg } from './pictures/curves.ts';
export { type ExampleImages, examplesSvg } from './pictures/examples.ts';
export { type ParetoPicture, type ParetoSvgOptions, paretoSvg, type Tradeoffs } from './pictures/pareto.ts';
export type { Coding } from './storage/codings.ts';
export { type DecodedSparse, type DecodeSparseOptions, decodeSparse } from './storage/decode-sparse.ts';
export { decodeDelta, encodeDelta } from './storage/delta.ts';
export { type EncodeSparseOptions, encodeSparse, type SparseFile } from './storage/encode-sparse.ts';
export type { StoredTensor } from './storage/pack.ts';
export {
  type BlockAmounts,
  type BlockScores,
  blockActivations,
  blockGradients,
  blockMagnitudes,
  blockMasks,
  type KeptInBlock,
  pruneBlocks,
} from './structured/blocks.ts';
export { type Compacted, type CompactOptions, compact } from './structured/compact.ts';
export { type CompactedBlocks, compactBlocks } from './structured/compact-blocks.ts';
export { type Grown, type GrowUnitsOptions, growUnits } from './structured/grow.ts';
export type { LayerMakers } from './structured/rebuild.ts';
export { activationScores, gradientScores, type UnitScores, unitsAbove } from './structured/unit-scores.ts';
export { type KeptUnits, type PruneUnitsOptions, pruneUnits, unitMasks } from './structured/units.ts';
