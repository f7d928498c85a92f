export {
  type AsDatasetOptions,
  asDataset,
  type BatchOptions,
  type Column,
  fromArrays,
  fromTensors,
  fromTfData,
  mapBatches,
  type Nested,
  prefetch,
  type Stream,
  shuffleStream,
  type TfDataset,
  type Values,
} from './data/index.ts';
export { backprop } from './estimators/index.ts';
