export type { KernelAttrs, KernelHandler, KernelInputs, NextKernel } from './handler.ts';
export { interpret } from './interpret.ts';
export { runBelow, visibleHandlers } from './scope.ts';
