export { type CrossEntropyOptions, sigmoidCrossEntropy, softmaxCrossEntropy } from './cross-entropy.ts';
export { type DistillationLossOptions, distillationLoss } from './distillation.ts';
export type { Loss } from './reduce.ts';
export { absoluteError, type HuberOptions, huber, squaredError } from './regression.ts';
