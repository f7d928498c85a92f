import type { Tensor } from '@tensorflow/tfjs-core';
import type { KernelAttrs } from '../interpret/index.ts';
import { KernelName } from '../kernels/names.ts';
import type {
  AddNoiseAttrs,
  ConvReluPoolAttrs,
  ScatterAddRowsAttrs,
  SegmentMatMulAttrs,
  SgdStepAttrs,
} from '../kernels/types.ts';
import type { CostFormula, KernelFormulas } from './formulas.ts';
import { activationCost } from './formulas-elementwise.ts';
import { bytesOf, type FormulaTable, input, optional, size } from './shapes.ts';

const as = <A>(attrs: KernelAttrs): A => attrs as unknown as A;

const perOutput =
  (steps: number): CostFormula =>
  (_inputs, _attrs, [y]) =>
    steps * y!.size;

/** A normal number: half of the 30 steps of Box–Muller for a pair (docs/random.md). */
const NORMAL = 15;

/** Steps per parameter, with two more (decay · p, added) where the parameter decays. */
const optimizerStep =
  (steps: (attrs: KernelAttrs) => number): CostFormula =>
  (inputs, attrs) => {
    const { count, decays } = as<SgdStepAttrs>(attrs);
    const params = (inputs as readonly Tensor[]).slice(0, count);
    return params.reduce((sum, p, i) => sum + p.size * (steps(attrs) + (decays[i] === 0 ? 0 : 2)), 0);
  };

const matMulTangent: CostFormula = (inputs, attrs, [y]) => {
  const products = ['a', 'da', 'db'].filter((name) => optional(inputs, name) !== undefined).length;
  const biases = ['bias', 'dbias'].filter((name) => optional(inputs, name) !== undefined).length;
  const inner = size(input(inputs, 'a'), as<{ transposeA: boolean }>(attrs).transposeA ? -2 : -1);
  return y!.size * (2 * inner * products + (products === 3 ? 1 : 0) + biases);
};

/** Bytes of a stack of matrices [S, …] that non-empty segments read. */
function usedMatrices(stack: Tensor, ends: readonly number[]): number {
  const used = ends.filter((end, s) => end > (s === 0 ? 0 : ends[s - 1]!)).length;
  return (bytesOf(stack) / Math.max(1, ends.length)) * used;
}

const segmentMatMul: KernelFormulas = {
  flops: (inputs, attrs, [y]) => {
    const bias = optional(inputs, 'bias') === undefined ? 0 : 1;
    const { activation } = as<SegmentMatMulAttrs>(attrs);
    return y!.size * (2 * size(input(inputs, 'x'), -1) + bias + activationCost(activation));
  },
  bytes: (inputs, attrs, [y]) => {
    const { ends } = as<SegmentMatMulAttrs>(attrs);
    const bias = optional(inputs, 'bias');
    const weights = usedMatrices(input(inputs, 'w'), ends) + (bias === undefined ? 0 : usedMatrices(bias, ends));
    return bytesOf(input(inputs, 'x')) + weights + bytesOf(y!);
  },
};

const scatterAddRows: KernelFormulas = {
  flops: (inputs, attrs) => input(inputs, 'x').size * (as<ScatterAddRowsAttrs>(attrs).scale === undefined ? 1 : 2),
  // Rows are read, and read and written where they go; the rest stays in place.
  bytes: (inputs) => 3 * bytesOf(input(inputs, 'x')),
};

/** Of the convolution only what the pooling windows cover is needed. */
const convReluPool: CostFormula = (inputs, attrs, [y]) => {
  const { pool } = as<ConvReluPoolAttrs>(attrs);
  const filter = input(inputs, 'w');
  const perPosition = (2 * filter.size) / size(filter, -1) + 2 + (pool > 1 ? 1 : 0);
  return y!.size * pool * pool * perPosition;
};

/** Kernels of our own, see `kernels/types.ts`; Philox calculates with integers, so bits and signs are 0 FLOPs. */
export const own: FormulaTable = {
  [KernelName.RandomBits]: () => 0,
  [KernelName.RandomSigns]: () => 0,
  [KernelName.RandomUniform]: perOutput(1),
  [KernelName.RandomNormal]: perOutput(NORMAL),
  [KernelName.AddNoise]: (_inputs, attrs, [y]) =>
    y!.size * (2 + (as<AddNoiseAttrs>(attrs).noise === 'normal' ? NORMAL : 0)),
  [KernelName.SgdStep]: optimizerStep(() => 3),
  [KernelName.MomentumStep]: optimizerStep((attrs) => (as<{ nesterov: boolean }>(attrs).nesterov ? 7 : 5)),
  [KernelName.AdamStep]: optimizerStep(() => 15),
  [KernelName.LionStep]: optimizerStep(() => 10),
  [KernelName.MatMulTangent]: matMulTangent,
  [KernelName.MatMulAccumulate]: (inputs, attrs, [y]) =>
    y!.size * (2 * size(input(inputs, 'a'), as<{ transposeA: boolean }>(attrs).transposeA ? -2 : -1) + 2),
  [KernelName.MatMulSigns]: (inputs, _attrs, [y]) => {
    const terms = ['into', 'bias'].filter((name) => optional(inputs, name) !== undefined).length;
    return y!.size * (2 * size(input(inputs, 'a'), -1) + terms);
  },
  [KernelName.AddSigns]: perOutput(2),
  [KernelName.SegmentMatMul]: segmentMatMul,
  [KernelName.SegmentMatMulWeightGrad]: (inputs) => 2 * input(inputs, 'x').size * size(input(inputs, 'dy'), -1),
  [KernelName.CountAbove]: (inputs) => 3 * input(inputs, 'x').size,
  [KernelName.GatherRows]: { flops: () => 0, bytes: (_inputs, _attrs, [y]) => 2 * bytesOf(y!) },
  [KernelName.ScatterAddRows]: scatterAddRows,
  [KernelName.ConvReluPool]: convReluPool,
  // Softmax 5; log and negation per row; −1 at the label.
  [KernelName.SoftmaxCrossEntropy]: (inputs) => 5 * input(inputs, 'logits').size + 3 * input(inputs, 'labels').size,
  // Mean 1, variance 3, normalise 2, scale and offset 2.
  [KernelName.LayerNorm]: (inputs) => 8 * input(inputs, 'x').size,
  // Normalise 2, dy · scale 1, two sums 3, combine 4, gradients of scale 2 and offset 1.
  [KernelName.LayerNormGrad]: (inputs) => 13 * input(inputs, 'x').size,
  [KernelName.Gelu]: perOutput(activationCost('gelu')),
  [KernelName.GeluGrad]: perOutput(18),
  [KernelName.ReluGrad]: perOutput(2),
  // u̇ · slope, its sum, whether it moves (2), u, the product.
  [KernelName.GroupGradient]: perOutput(6),
};
