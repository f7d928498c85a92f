export { type ClimbOptions, climb } from './advice/climb.ts';
export { type MiniatureRunsOptions, miniatureRuns, quickMiniatures } from './advice/miniature-runs.ts';
export type { Advice, Confidence, Evidence, Part, Policy, PolicyOptions } from './advice/policy.ts';
export { type ProbeAdviceOptions, probe, type Recommendation } from './advice/probe.ts';
export { criticalFraction, fixedRate, newtonPolicy, rangeTestRule } from './advice/single-probes.ts';
export { type DensityOptions, type SpectralDensity, spectralDensity } from './curvature/density.ts';
export { type EigenOptions, type Eigenpairs, topEigenpairs } from './curvature/lanczos.ts';
export {
  type AdamPreconditionerOptions,
  adamPreconditioner,
  type CurvatureOptions,
  empiricalFisher,
  type GaussNewtonParts,
  gaussNewton,
  hessian,
  preconditioned,
  type SymmetricOperator,
} from './curvature/operators.ts';
export { type BatchSharpnessOptions, batchSharpness, type SharpnessOptions, sharpness } from './curvature/sharpness.ts';
export { hutchinsonTrace, hutchPlusPlusTrace, type TraceEstimate, type TraceOptions } from './curvature/trace.ts';
export { ProbeError, type ProbeFault } from './errors.ts';
export {
  type GradientCovarianceOptions,
  gradientCovariance,
  type NoiseScale,
  type NoiseScaleOptions,
  noiseScale,
} from './noise/noise-scale.ts';
export type { GradientNoise } from './noise/running.ts';
export { drawSvg, reportHtml, type VegaModules } from './pictures/draw.ts';
export {
  linePicture,
  miniaturesPicture,
  type Picture,
  rangeTestPicture,
  sharpnessPicture,
  spectrumPicture,
} from './pictures/specs.ts';
export { type TerminalChartOptions, terminalChart } from './pictures/terminal.ts';
export {
  type CriticalRate,
  type CriticalRateOptions,
  criticalRate,
  type LinePoint,
} from './probes/critical-rate.ts';
export { type LineProbeOptions, lineProbe } from './probes/line-probe.ts';
export { type Miniature, type MiniatureOptions, type MiniatureProbeOptions, miniature } from './probes/miniature.ts';
export { type NewtonRate, type NewtonRateOptions, newtonRate } from './probes/newton-rate.ts';
export { type RangeTest, type RangeTestOptions, rangeTest } from './probes/range-test.ts';
export { type Suggestions, suggestRates } from './probes/rules.ts';
export type {
  OptimizerFactory,
  OptimizerPosition,
  ProbeCost,
  ProbeEvent,
  ProbeLoss,
  ProbeOptions,
  Problem,
} from './problem.ts';
export { type ScheduleShape, warmCosine } from './schedule.ts';
export type { TrackedRun, Tracker } from './trackers/hook.ts';
export { type ProbePoint, trackProbe } from './trackers/probes.ts';
export {
  cka,
  initialisationSpread,
  linearProbe,
  type RepresentationPoint,
  type TrackRepresentationsOptions,
  trackRepresentations,
} from './trackers/representations.ts';
export {
  type EarlyPhase,
  earlyPhase,
  type SharpnessPoint,
  type SharpnessTracker,
  type TrackSharpnessOptions,
  trackSharpness,
} from './trackers/sharpness.ts';
export { stabilityThreshold, type ThresholdOptions } from './trackers/threshold.ts';
export { trackWeights, type WeightsPoint } from './trackers/weights.ts';
export { type CatapultWarmup, type CatapultWarmupOptions, catapultWarmup } from './warmup/catapult.ts';
export { type CurvatureAwareOptions, type CurvatureAwareState, curvatureAware } from './warmup/curvature-aware.ts';
export { gradientInitialised } from './warmup/gradient-initialised.ts';
