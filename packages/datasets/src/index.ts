export type { BatchOptions } from './epoch.ts';
export { DataArgumentError, MissingDataError } from './errors.ts';
export {
  type Examples,
  examplesFromIdx,
  type SplitOptions,
  type SubsetOptions,
  splitExamples,
  subset,
  takeRows,
  type Values,
} from './examples.ts';
export { type FetchOptions, fetchBytes, fetchText } from './fetch.ts';
export { type IdxArray, IdxError, type IdxValues, parseIdx } from './idx.ts';
export {
  type LifeBoardOptions,
  type LifeOptions,
  lifeBoards,
  lifeDataset,
  lifeExamples,
  lifeSteps,
} from './life.ts';
export {
  type DrawImageOptions,
  drawImage,
  type FetchMnistOptions,
  fetchIdx,
  fetchMnist,
  type LabelledImages,
  type Mnist,
  mnistFrom,
} from './mnist.ts';
export { measureNormalization, type Normalization, normalizations } from './normalization.ts';
export {
  type Quadratic,
  type QuadraticBatch,
  type QuadraticOptions,
  type QuadraticParams,
  quadratic,
} from './synthetic/quadratic.ts';
export { type SpiralsOptions, spirals } from './synthetic/spirals.ts';
export {
  type TeacherLayer,
  type TeacherOptions,
  type TeacherRegression,
  teacherRegression,
} from './synthetic/teacher.ts';
export { type BpeTokenizer, bpeTokenizer, trainBpe } from './text/bpe.ts';
export { splitSequence, type TokenBatch, type TokenDatasetOptions, tokenDataset } from './text/token-dataset.ts';
export { type CharTokenizer, charTokenizer, type Tokenizer } from './text/tokenizer.ts';
export { type ToDatasetOptions, toBatch, toDataset } from './to-dataset.ts';
