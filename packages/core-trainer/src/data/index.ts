export { type Column, fromArrays, type Nested, type Values } from './arrays.ts';
export { mapBatches } from './map.ts';
export { prefetch } from './prefetch.ts';
export type { BatchOptions } from './rows.ts';
export {
  type AsDatasetOptions,
  asDataset,
  fromTfData,
  type Stream,
  shuffleStream,
  type TfDataset,
} from './stream.ts';
export { fromTensors } from './tensors.ts';
