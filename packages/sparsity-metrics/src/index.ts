export { rectifierOf } from './activations/kernels.ts';
export { createProbe, type Probe, type ProbeOptions, probeActivations } from './activations/probe.ts';
export type { ActivationReport, LayerActivity } from './activations/report.ts';
export { type Agreement, type AgreementOptions, agreement, type PairAgreement } from './difficulty/agreement.ts';
export { costsOf, difficulty, type Scores } from './difficulty/difficulty.ts';
export type { Amount } from './masks/amount.ts';
export { keepPruned } from './masks/keep-pruned.ts';
export {
  applyMasks,
  type Masks,
  type ParameterSparsity,
  type Prunable,
  type WeightSparsity,
  weightSparsity,
  weightsOnly,
} from './masks/masks.ts';
export { magnitudeMasks, type PruneOptions, pruneByScores, randomMasks, snipMasks } from './masks/prune.ts';
export { type LayerWork, type RemainingWork, remainingWork } from './masks/remaining.ts';
export { type CubicSparsityOptions, cubicSparsity, geometricSparsity } from './masks/schedule.ts';
export type { Coding } from './storage/codings.ts';
export { type DecodedSparse, type DecodeSparseOptions, decodeSparse } from './storage/decode-sparse.ts';
export { type EncodeSparseOptions, encodeSparse, type SparseFile, type StoredTensor } from './storage/encode-sparse.ts';
export { type Compacted, type CompactOptions, compact, type LayerMakers } from './structured/compact.ts';
export { type KeptUnits, type PruneUnitsOptions, pruneUnits, unitMasks } from './structured/units.ts';
