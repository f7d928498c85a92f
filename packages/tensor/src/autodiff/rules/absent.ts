import { each } from './entry.ts';

const noInputs = 'no tensor goes in';
const strings = 'strings have no derivative';
const discrete = 'what comes out depends on the values in a discrete way; no other library differentiates it';
const unused = 'no backend has the kernel';
const ragged = 'ragged tensors: tfjs has no operations on them that could be differentiated';

/** Kernels without a rule, and why. A tangent that meets one is an error. */
export const absentRules: Readonly<Record<string, string>> = {
  ...each(['Fill', 'LinSpace', 'Range', 'FromPixels'], noInputs),
  ...each(
    ['FrugalRandomBits', 'FrugalRandomUniform', 'FrugalRandomNormal', 'FrugalRandomSigns'],
    `${noInputs}; the key is no tensor`,
  ),
  ...each(['StaticRegexReplace', 'StringNGrams', 'StringSplit', 'StringToHashBucketFast'], strings),
  ...each(['Unique', 'NonMaxSuppressionV5'], discrete),
  ...each(['RaggedGather', 'RaggedRange', 'RaggedTensorToTensor'], ragged),
  ...each(['SparseFillEmptyRows', 'SparseReshape'], 'indices of sparse tensors; the shape depends on the values'),
  ...each(['MatrixBandPart', 'Pool'], `${unused}: the op runs others`),
  Draw: 'draws on a canvas',
};
