import type { CostFormula } from './formulas.ts';
import { all, type FormulaTable, input } from './shapes.ts';

/** Steps per output element: an arithmetic operation, a comparison or an elementary function is one step. */
const steps: Readonly<Record<string, number>> = {
  Abs: 1,
  Acos: 1,
  Acosh: 1,
  Add: 1,
  Asin: 1,
  Asinh: 1,
  Atan: 1,
  Atan2: 1,
  Atanh: 1,
  BitwiseAnd: 1,
  Ceil: 1,
  Cos: 1,
  Cosh: 1,
  Equal: 1,
  Erf: 1,
  Exp: 1,
  Expm1: 1,
  Floor: 1,
  Greater: 1,
  GreaterEqual: 1,
  IsFinite: 1,
  IsInf: 1,
  IsNan: 1,
  Less: 1,
  LessEqual: 1,
  Log: 1,
  Log1p: 1,
  LogicalAnd: 1,
  LogicalNot: 1,
  LogicalOr: 1,
  LogicalXor: 1,
  Maximum: 1,
  Minimum: 1,
  Mod: 1,
  Multiply: 1,
  Neg: 1,
  NotEqual: 1,
  Pow: 1,
  RaggedRange: 1,
  Range: 1,
  RealDiv: 1,
  Reciprocal: 1,
  Relu: 1,
  Round: 1,
  Select: 1,
  Sign: 1,
  Sin: 1,
  Sinh: 1,
  Sqrt: 1,
  Square: 1,
  Step: 1,
  Sub: 1,
  Tan: 1,
  Tanh: 1,
  // Two: clamp by two comparisons; x · alpha and a choice; difference and square; root and division; …
  ClipByValue: 2,
  FloorDiv: 2,
  LeakyRelu: 2,
  LinSpace: 2,
  Prelu: 2,
  Relu6: 2,
  Rsqrt: 2,
  SquaredDifference: 2,
  // Three: choice, exp, −1; exp, +1, log; choice, +1, product.
  Elu: 3,
  EluGrad: 3,
  Softplus: 3,
  // Four: Elu scaled; −, exp, +1, ÷; two squares, their sum, root.
  ComplexAbs: 4,
  Selu: 4,
  Sigmoid: 4,
};

const perOutput =
  (count: number): CostFormula =>
  (_inputs, _attrs, outputs) =>
    count * outputs[0]!.size;

/** Those of them that have other inputs than `x`, or `a` and `b`. */
const otherInputs = ['EluGrad', 'ComplexAbs', 'LinSpace', 'Prelu', 'RaggedRange', 'Range', 'Select'];

const perInput =
  (name: string): CostFormula =>
  (inputs) =>
    input(inputs, name).size;

/** Steps per element of the activations inside of fused kernels. */
const activationSteps: Readonly<Record<string, number>> = {
  linear: 0,
  relu: steps.Relu!,
  relu6: steps.Relu6!,
  elu: steps.Elu!,
  sigmoid: steps.Sigmoid!,
  prelu: steps.Prelu!,
  leakyrelu: steps.LeakyRelu!,
  gelu: 9,
};

/** FLOPs per output element of a fused kernel's activation. */
export function activationCost(activation: string | null | undefined): number {
  return activationSteps[activation ?? 'linear'] ?? 1;
}

export const elementwise: FormulaTable = {
  ...Object.fromEntries(
    Object.entries(steps).map(([name, count]) => {
      const flops = perOutput(count);
      return [name, otherInputs.includes(name) ? { flops } : { flops, steps: count }];
    }),
  ),
  AddN: (inputs, _attrs, [y]) => (all(inputs).length - 1) * y!.size,
  // Reductions and scans touch each input element once.
  All: perInput('x'),
  Any: perInput('x'),
  ArgMax: perInput('x'),
  ArgMin: perInput('x'),
  Cumprod: perInput('x'),
  Cumsum: perInput('x'),
  Max: perInput('x'),
  Min: perInput('x'),
  Prod: perInput('x'),
  Sum: perInput('x'),
  Mean: (inputs, _attrs, [y]) => input(inputs, 'x').size + y!.size,
  // Sums by index: one addition per value that arrives.
  Bincount: perInput('x'),
  DenseBincount: perInput('x'),
  ScatterNd: perInput('updates'),
  SparseSegmentSum: gathered,
  SparseSegmentMean: (inputs, _attrs, [y]) => gathered(inputs) + y!.size,
  UnsortedSegmentSum: perInput('x'),
  // At least one comparison per element; what a selection needs beyond that depends on the values.
  TopK: perInput('x'),
  SearchSorted: searches,
  LowerBound: searches,
  UpperBound: searches,
};

function gathered(inputs: Parameters<CostFormula>[0]): number {
  const data = input(inputs, 'data');
  return (input(inputs, 'indices').size * data.size) / Math.max(1, data.shape[0]!);
}

function searches(inputs: Parameters<CostFormula>[0]): number {
  const sorted = input(inputs, 'sortedSequence');
  return input(inputs, 'values').size * Math.ceil(Math.log2(sorted.shape[sorted.rank - 1]! + 1));
}
