export { KernelArgumentError } from './check.ts';
export { type ConvReluPoolOptions, convReluPool } from './conv-relu-pool.ts';
export { type CountAboveOptions, countAbove } from './count-above.ts';
export { gelu, geluGrad } from './gelu.ts';
export { groupGradient } from './group-gradient.ts';
export { type LayerNormOptions, layerNorm, layerNormGrad } from './layer-norm.ts';
export { type MatMulAccumulateOptions, matMulAccumulate, matMulTangent, type TransposeOptions } from './matmul.ts';
export { KernelName } from './names.ts';
export { type AddNoiseOptions, addNoise } from './noise.ts';
export { reluGrad } from './relu-grad.ts';
export { gatherRows, type ScatterAddRowsOptions, scatterAddRows } from './rows.ts';
export { differentiable, hasKernel, type SaveForBackward } from './run.ts';
export { type SegmentMatMulOptions, segmentMatMul, segmentMatMulWeightGrad } from './segments.ts';
export { addSigns, matMulSigns } from './signs.ts';
export { softmaxCrossEntropy, softmaxCrossEntropySlope } from './softmax-cross-entropy.ts';
export {
  type AdamStepOptions,
  type AdamStepTensors,
  adamStep,
  type LionStepOptions,
  lionStep,
  type MomentumStepOptions,
  type MomentumStepTensors,
  momentumStep,
  type SgdStepOptions,
  type SgdStepTensors,
  sgdStep,
} from './steps.ts';
