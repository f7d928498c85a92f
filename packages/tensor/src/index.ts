export { KernelName } from './kernels/names.ts';
export type * from './kernels/types.ts';
export type * from './seams/index.ts';
