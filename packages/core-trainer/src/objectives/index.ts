export { type DistillationOptions, type DistillationTargets, distillation } from './distillation.ts';
export { accuracy, classification, type RegressionOptions, regression } from './labelled.ts';
export { nextToken, type Tokens } from './next-token.ts';
export { type Examples, lossFunction, type Metric, type Objective } from './objective.ts';
