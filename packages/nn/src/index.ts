export { activation, gelu, leakyRelu, relu, sigmoid, silu, softmax, tanh } from './activations.ts';
export { type AttentionInput, type AttentionOptions, type AttentionParams, attention } from './attention.ts';
export { type BatchNormOptions, type BatchNormParams, batchNorm, batchNormPaths } from './batch-norm.ts';
export { applyChild, childContext, joinPath, runSteps } from './context.ts';
export type { ConvOptions, Size2d } from './conv-options.ts';
export { type ConvReluPoolOptions2d, convReluPool2d } from './conv-relu-pool2d.ts';
export { type ConvTranspose2dParams, convTranspose2d } from './conv-transpose2d.ts';
export { type Conv1dOptions, type Conv1dParams, conv1d } from './conv1d.ts';
export { type Conv2dParams, conv2d } from './conv2d.ts';
export { type DenseOptions, type DenseParams, dense } from './dense.ts';
export { type DepthwiseConv2dOptions, type DepthwiseConv2dParams, depthwiseConv2d } from './depthwise-conv2d.ts';
export { dropout } from './dropout.ts';
export { type EmbeddingOptions, type EmbeddingParams, embedding } from './embedding.ts';
export { type FeedForwardOptions, type FeedForwardParams, feedForward } from './feed-forward.ts';
export { groupNorm } from './group-norm.ts';
export {
  constant,
  type Fans,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  orthogonal,
  truncatedNormal,
  uniform,
  type VarianceScalingOptions,
  varianceScaling,
  zeros,
} from './initializers.ts';
export { cacheLength, openCache, truncateCache } from './kv-cache.ts';
export { type LayerNormParams, layerNorm, type NormOptions, type RmsNormParams, rmsNorm } from './layer-norm.ts';
export { type GenerateOptions, generate } from './models/generate.ts';
export { type Gpt, type GptOptions, type GptParams, gpt } from './models/gpt.ts';
export { type Lenet5, type Lenet5Options, lenet5 } from './models/lenet5.ts';
export { type Lenet300, lenet300, type MlpOptions, mlp } from './models/mlp.ts';
export { type ResnetOptions, type ResnetParams, resnet } from './models/resnet.ts';
export { type VitOptions, type VitParams, vit } from './models/vit.ts';
export type { AnyModule, NoParams, ParamsOf } from './params.ts';
export {
  avgPool1d,
  avgPool2d,
  flatten,
  globalAvgPool,
  globalMaxPool,
  maxPool1d,
  maxPool2d,
  type PoolOptions,
} from './pool.ts';
export { type ResidualOptions, type ResidualParams, residual } from './residual.ts';
export { type Children, type Sequential, type SequentialParams, sequential } from './sequential.ts';
export { type ActivationName, type Layer, type Padding, type Spec, specOf } from './spec.ts';
export { type ApplyStagesOptions, applyStages, makeStage, type StageOptions, staged } from './stages.ts';
export { type BlockOptions, type BlockParams, type TransformerBlock, transformerBlock } from './transformer-block.ts';
export { type WrapOptions, wrap } from './wrap.ts';
