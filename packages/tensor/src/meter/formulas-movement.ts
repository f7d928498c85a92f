import type { Tensor } from '@tensorflow/tfjs-core';
import type { CostFormula, KernelFormulas } from './formulas.ts';
import { bytesOf, type FormulaTable } from './shapes.ts';

const none: CostFormula = () => 0;

/** Kernels that move, make or look at data, but calculate nothing. */
const moving = [
  'BatchToSpaceND',
  'BroadcastArgs',
  'BroadcastTo',
  'Complex',
  'Concat',
  'DepthToSpace',
  'Diag',
  'Draw',
  'Fill',
  'FlipLeftRight',
  'FromPixels',
  'Imag',
  'MirrorPad',
  'OneHot',
  'OnesLike',
  'Pack',
  'PadV2',
  'RaggedGather',
  'RaggedTensorToTensor',
  'Real',
  'ResizeNearestNeighbor',
  'Reverse',
  'SpaceToBatchND',
  'SparseFillEmptyRows',
  'SparseReshape',
  'SparseToDense',
  'SplitV',
  'StaticRegexReplace',
  'StringNGrams',
  'StringSplit',
  'StringToHashBucketFast',
  'TensorScatterUpdate',
  'Tile',
  'Transpose',
  'Unique',
  'Unpack',
  'ZerosLike',
];

/** Kernels that may hand the same memory on: then nothing moves. */
const aliasing = ['Cast', 'Identity', 'Reshape'];

/** Kernels that read of their first input only what they write; indices are read whole. */
const selecting = ['GatherNd', 'GatherV2', 'Slice', 'StridedSlice'];

const copyUnlessShared: CostFormula = (inputs, _attrs, outputs) => {
  const { input: x } = inputs as { readonly input: Tensor };
  return x.dataId === outputs[0]!.dataId ? 0 : bytesOf(x) + bytesOf(outputs[0]!);
};

const twiceTheOutput: CostFormula = (inputs, _attrs, outputs) => {
  const { indices } = inputs as { readonly indices?: Tensor };
  return 2 * bytesOf(outputs[0]!) + (indices === undefined ? 0 : bytesOf(indices));
};

const table = (names: readonly string[], formulas: KernelFormulas): FormulaTable =>
  Object.fromEntries(names.map((name) => [name, formulas]));

export const movement: FormulaTable = {
  ...table(moving, { flops: none }),
  ...table(aliasing, { flops: none, steps: 0 }),
  ExpandDims: { flops: none, bytes: copyUnlessShared },
  ...table(selecting, { flops: none, bytes: twiceTheOutput }),
};
