import type { Tensor } from '@tensorflow/tfjs-core';
import type { KernelAttrs } from '../interpret/index.ts';
import type { CostFormula } from './formulas.ts';
import { activationCost } from './formulas-elementwise.ts';
import { all, attr, type FormulaTable, input, optional, product, size } from './shapes.ts';

/** Bias and activation of a fused kernel. */
function tail(inputs: Parameters<CostFormula>[0], attrs: KernelAttrs, y: Tensor): number {
  const bias = optional(inputs, 'bias') === undefined ? 0 : 1;
  return y.size * (bias + activationCost(attr(attrs, 'activation')));
}

const matMul: CostFormula = (inputs, attrs, [y]) =>
  2 * y!.size * size(input(inputs, 'a'), attr<boolean>(attrs, 'transposeA') ? -2 : -1);

/** Filters are [...window, inChannels, outChannels]: each output element is window · inChannels multiply-adds. */
const conv: CostFormula = (inputs, _attrs, [y]) => {
  const filter = input(inputs, 'filter');
  return (2 * y!.size * filter.size) / size(filter, -1);
};

/** Each element of dy meets window · inChannels weights; this is also the transposed convolution. */
const convInputGrad: CostFormula = (inputs) => {
  const filter = input(inputs, 'filter');
  return (2 * input(inputs, 'dy').size * filter.size) / size(filter, -1);
};

const convFilterGrad: CostFormula = (inputs, _attrs, [dw]) => (2 * input(inputs, 'dy').size * dw!.size) / size(dw!, -1);

/** Depthwise filters are [height, width, channels, multiplier]: an output element is height · width multiply-adds. */
const depthwise: CostFormula = (inputs, _attrs, [y]) => {
  const filter = input(inputs, 'filter');
  return 2 * y!.size * filter.shape[0]! * filter.shape[1]!;
};

const depthwiseInputGrad: CostFormula = (inputs) => {
  const filter = input(inputs, 'filter');
  return 2 * input(inputs, 'dy').size * filter.shape[0]! * filter.shape[1]!;
};

const depthwiseFilterGrad: CostFormula = (inputs, _attrs, [dw]) =>
  2 * input(inputs, 'dy').size * dw!.shape[0]! * dw!.shape[1]!;

/** One multiply-add per combination of index values and factor beyond the first; a lone operand is only summed. */
const einsum: CostFormula = (inputs, attrs, [y]) => {
  const operands = all(inputs);
  const terms = attr<string>(attrs, 'equation').replace(/\s/g, '').split('->')[0]!.split(',');
  const sizes = new Map<string, number>();
  for (const [i, term] of terms.entries()) {
    for (const [axis, letter] of [...term].entries()) sizes.set(letter, operands[i]!.shape[axis]!);
  }
  const combinations = product([...sizes.values()]);
  if (operands.length === 1) return combinations === y!.size ? 0 : combinations;
  return operands.length * combinations;
};

/** Products and convolutions: where the arithmetic of a network is. */
export const linear: FormulaTable = {
  BatchMatMul: matMul,
  _FusedMatMul: (inputs, attrs, outputs) => matMul(inputs, attrs, outputs) + tail(inputs, attrs, outputs[0]!),
  Conv2D: conv,
  Conv3D: conv,
  FusedConv2D: (inputs, attrs, outputs) => conv(inputs, attrs, outputs) + tail(inputs, attrs, outputs[0]!),
  Conv2DBackpropInput: convInputGrad,
  Conv3DBackpropInputV2: convInputGrad,
  Conv2DBackpropFilter: convFilterGrad,
  Conv3DBackpropFilterV2: convFilterGrad,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2D: (inputs, attrs, outputs) =>
    depthwise(inputs, attrs, outputs) + tail(inputs, attrs, outputs[0]!),
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGrad,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGrad,
  Einsum: einsum,
};
