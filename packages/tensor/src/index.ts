export { cpu, describeBackends, ensureGradients, NoBackendError, useBackend } from './backend/index.ts';
export { FrugalError } from './errors.ts';
export type { KernelAttrs, KernelHandler, KernelInputs, NextKernel } from './interpret/index.ts';
export { interpret } from './interpret/index.ts';
export { KernelName } from './kernels/names.ts';
export type * from './kernels/types.ts';
export type * from './seams/index.ts';
export {
  assertSameStructure,
  isStructured,
  isTensor,
  TreeMismatchError,
  treeClone,
  treeDispose,
  treeEntries,
  treeLeaves,
  treeMap,
  treeMaterialize,
  treeSize,
  treeUnflatten,
  treeZerosLike,
} from './tree/index.ts';
