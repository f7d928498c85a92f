import type { KernelAttrs, KernelInputs } from '../interpret/index.ts';
import type { CostFormula } from './formulas.ts';
import { attr, type FormulaTable, input, size, windowSize } from './shapes.ts';

/** A window's comparisons or additions per output element (additions of a mean include its division). */
const pool =
  (rank: number): CostFormula =>
  (_inputs, attrs, [y]) =>
    y!.size * windowSize(attrs, rank);

const poolGrad =
  (rank: number): CostFormula =>
  (inputs, attrs) =>
    input(inputs, 'dy').size * windowSize(attrs, rank);

/** Maximum, difference, exp, sum, quotient (or log and difference) per element. */
const softmax: CostFormula = (_inputs, _attrs, [y]) => 5 * y!.size;

function channelsInWindow(x: { shape: number[] }, attrs: KernelAttrs): number {
  return Math.min(x.shape[3]!, 2 * attr<number>(attrs, 'depthRadius') + 1);
}

/** The usual convention of 5 n log₂ n per transform of length n. */
const fft: CostFormula = (inputs) => {
  const x = input(inputs, 'input');
  return 5 * x.size * Math.log2(Math.max(2, size(x, -1)));
};

/** Three interpolations of three steps each. */
const BILINEAR = 9;

const perOutput =
  (steps: number): CostFormula =>
  (_inputs, _attrs, [y]) =>
    steps * y!.size;

/** One sum over a window and its argument of the maximum per element of dy. */
const dilationGrad: CostFormula = (inputs) => 2 * input(inputs, 'dy').size * filterWindow(inputs);

function filterWindow(inputs: KernelInputs): number {
  const { shape } = input(inputs, 'filter');
  return shape[0]! * shape[1]!;
}

/** Kernels that do several things at once. */
export const composites: FormulaTable = {
  AvgPool: pool(2),
  AvgPool3D: pool(3),
  AvgPool3DGrad: poolGrad(3),
  AvgPoolGrad: poolGrad(2),
  MaxPool: pool(2),
  MaxPool3D: pool(3),
  MaxPool3DGrad: poolGrad(3),
  MaxPoolGrad: poolGrad(2),
  MaxPoolWithArgmax: pool(2),
  Softmax: softmax,
  LogSoftmax: softmax,
  // Difference, scale, division by the root, offset.
  FusedBatchNorm: perOutput(4),
  // Sum of squares over the window; factor, bias, power, product.
  LRN: (inputs, attrs, [y]) => y!.size * (2 * channelsInWindow(input(inputs, 'x'), attrs) + 4),
  LRNGrad: (inputs, attrs, [y]) => y!.size * (7 * channelsInWindow(input(inputs, 'x'), attrs) + 5),
  Dilation2D: (inputs, _attrs, [y]) => 2 * y!.size * filterWindow(inputs),
  Dilation2DBackpropInput: dilationGrad,
  Dilation2DBackpropFilter: dilationGrad,
  ResizeBilinear: perOutput(BILINEAR),
  ResizeBilinearGrad: (inputs) => 8 * input(inputs, 'dy').size,
  ResizeNearestNeighborGrad: (inputs) => input(inputs, 'dy').size,
  CropAndResize: (_inputs, attrs, [y]) => (attr(attrs, 'method') === 'nearest' ? 0 : BILINEAR * y!.size),
  Transform: (_inputs, attrs, [y]) => (attr(attrs, 'interpolation') === 'nearest' ? 0 : BILINEAR * y!.size),
  RotateWithOffset: perOutput(8),
  FFT: fft,
  IFFT: fft,
  // Cumulative sums; then a search from the first class on, which passes half of them on average.
  Multinomial: (inputs, _attrs, [y]) => {
    const logits = input(inputs, 'logits');
    return logits.size + (y!.size * size(logits, -1)) / 2;
  },
};
