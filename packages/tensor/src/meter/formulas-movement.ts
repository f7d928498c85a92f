import type { CostFormula, KernelFormulas } from './formulas.ts';
import { all, bytesOf, type FormulaTable } from './shapes.ts';

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
const aliasing = ['Cast', 'ExpandDims', 'Identity', 'Reshape', 'Squeeze'];

const copyUnlessShared: CostFormula = (inputs, _attrs, [y]) => {
  const [x] = all(inputs);
  return x === undefined || x.dataId === y!.dataId ? 0 : bytesOf(x) + bytesOf(y!);
};

/** Kernels that read of their first input only what they write; indices are read whole. */
const selecting = ['GatherNd', 'GatherV2', 'Slice', 'StridedSlice'];

const twiceTheOutput: CostFormula = (inputs, _attrs, [y]) =>
  all(inputs)
    .slice(1)
    .reduce((sum, x) => sum + bytesOf(x), 2 * bytesOf(y!));

const table = (names: readonly string[], formulas: KernelFormulas): FormulaTable =>
  Object.fromEntries(names.map((name) => [name, formulas]));

export const movement: FormulaTable = {
  ...table(moving, { flops: none }),
  ...table(aliasing, { flops: none, bytes: copyUnlessShared }),
  ...table(selecting, { flops: none, bytes: twiceTheOutput }),
};
