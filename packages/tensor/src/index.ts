export type { Aux, Pullback, ValueAndGradOptions } from './autodiff/index.ts';
export { valueAndGrad, vjp } from './autodiff/index.ts';
export { cpu, describeBackends, ensureGradients, NoBackendError, useBackend } from './backend/index.ts';
export { FrugalError } from './errors.ts';
export type { KernelAttrs, KernelHandler, KernelInputs, NextKernel } from './interpret/index.ts';
export { interpret } from './interpret/index.ts';
export {
  type Decoded,
  type DecodeOptions,
  decodeSafetensors,
  decodeSafetensorsStream,
  type EncodeOptions,
  encodeSafetensors,
  encodeSafetensorsStream,
  openSafetensors,
  type RandomAccess,
  type SafetensorsDtype,
  type SafetensorsEntry,
  SafetensorsError,
  type SafetensorsFault,
  type SafetensorsFile,
  type SafetensorsHeader,
  type StreamItem,
} from './io/index.ts';
export { KernelName } from './kernels/names.ts';
export type * from './kernels/types.ts';
export {
  type Cost,
  type CostFormula,
  createMeter,
  DEFAULT_WATTS,
  type Energy,
  type EnergyCounter,
  type EnergyOptions,
  estimateEnergy,
  flops,
  formatBytes,
  formatCost,
  formatFlops,
  GRID_INTENSITY,
  type KernelCost,
  type Meter,
  type Metered,
  type MeterOptions,
  meter,
  registerFlops,
} from './meter/index.ts';
export {
  fillBits,
  fillIntegers,
  fillNormal,
  fillSigns,
  fillUniform,
  foldIn,
  key,
  packedSigns,
  philoxBlock,
  randomPermutation,
  split,
} from './random/index.ts';
export type * from './seams/index.ts';
export { createState, type ModuleState } from './state.ts';
export {
  assertSameStructure,
  isStructured,
  isTensor,
  TreeMismatchError,
  treeClone,
  treeDispose,
  treeEntries,
  treeFromEntries,
  treeLeaves,
  treeMap,
  treeMaterialize,
  treeRestore,
  treeSize,
  treeUnflatten,
  treeZerosLike,
} from './tree/index.ts';
