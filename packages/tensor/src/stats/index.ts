export {
  type BootstrapOptions,
  bootstrapInterval,
  type Interval,
  type WilsonOptions,
  wilsonInterval,
} from './intervals.ts';
export { hypervolume, type Objectives, type ParetoOptions, paretoFront } from './pareto.ts';
export { kendallTau, ranks, spearman } from './ranks.ts';
export { giniIndex, hoyerSparsity } from './sparsity.ts';
export { mean, standardDeviation } from './summary.ts';
