/**
 * Kernels of our own, in tfjs's registry.
 *
 * A backend package registers fast ones under these names; `tensor` falls back to compositions of stock ops.
 *
 * **Inputs** come as a named map, or as an array where the interface below is an array type (as tfjs's `Concat` does).
 * **Donated** inputs may be reused for the output: a kernel that finds a single reference to their data writes in
 * place and returns the same `dataId` with one more reference, otherwise it allocates. Whoever calls the kernel
 * disposes donated tensors afterwards and never reads them again; of a `tf.Variable` only the value is donated, and its
 * owner assigns the output to it. Everything else is read only.
 */
export const KernelName = {
  RandomBits: 'FrugalRandomBits',
  RandomUniform: 'FrugalRandomUniform',
  RandomNormal: 'FrugalRandomNormal',
  RandomSigns: 'FrugalRandomSigns',
  AddNoise: 'FrugalAddNoise',
  SgdStep: 'FrugalSgdStep',
  MomentumStep: 'FrugalMomentumStep',
  AdamStep: 'FrugalAdamStep',
  LionStep: 'FrugalLionStep',
  MatMulTangent: 'FrugalMatMulTangent',
  MatMulAccumulate: 'FrugalMatMulAccumulate',
  MatMulSigns: 'FrugalMatMulSigns',
  AddSigns: 'FrugalAddSigns',
  SegmentMatMul: 'FrugalSegmentMatMul',
  SegmentMatMulWeightGrad: 'FrugalSegmentMatMulWeightGrad',
  GatherRows: 'FrugalGatherRows',
  ScatterAddRows: 'FrugalScatterAddRows',
  CountAbove: 'FrugalCountAbove',
  ConvReluPool: 'FrugalConvReluPool',
  SoftmaxCrossEntropy: 'FrugalSoftmaxCrossEntropy',
  LayerNorm: 'FrugalLayerNorm',
  LayerNormGrad: 'FrugalLayerNormGrad',
  Gelu: 'FrugalGelu',
  GeluGrad: 'FrugalGeluGrad',
  ReluGrad: 'FrugalReluGrad',
  GroupGradient: 'FrugalGroupGradient',
} as const;

export type KernelName = (typeof KernelName)[keyof typeof KernelName];
