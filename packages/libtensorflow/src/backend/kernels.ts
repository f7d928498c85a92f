import type { NodeBackend } from './native.ts';

/** Registers our kernels; returns how many. */
export function addKernels(_backend: NodeBackend): number {
  return 0;
}
