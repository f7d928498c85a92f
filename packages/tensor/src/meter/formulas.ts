import type { Tensor } from '@tensorflow/tfjs-core';
import type { KernelAttrs, KernelInputs } from '../interpret/index.ts';
import { composites } from './formulas-composite.ts';
import { elementwise } from './formulas-elementwise.ts';
import { linear } from './formulas-linear.ts';
import { movement } from './formulas-movement.ts';
import { own } from './formulas-own.ts';

/**
 * What a kernel costs, from its inputs, attributes and outputs: FLOPs, or bytes read and written.
 *
 * FLOPs count 2 per multiply-add; a comparison, a minimum, an elementary function (exp, log, sqrt, tanh, …) is 1.
 */
export type CostFormula = (inputs: KernelInputs, attrs: KernelAttrs, outputs: readonly Tensor[]) => number;

/** The formulas of one kernel. */
export interface KernelFormulas {
  readonly flops: CostFormula;
  /** Bytes read and written, where that is not every input and output once. */
  readonly bytes?: CostFormula;
  /**
   * FLOPs per output element, where that is all and the inputs are `x`, or `a` and `b`: the meter's shortest way. Bytes
   * are 0 where `x` and the output share memory.
   */
  readonly steps?: number;
}

const registry = new Map<string, KernelFormulas>(
  Object.entries({ ...elementwise, ...linear, ...composites, ...movement, ...own }).map(([name, formulas]) => [
    name,
    typeof formulas === 'function' ? { flops: formulas } : formulas,
  ]),
);

/** The formulas of a kernel; undefined where nobody registered one. */
export function formulasOf(kernel: string): KernelFormulas | undefined {
  return registry.get(kernel);
}

/**
 * Tells the meter what a kernel costs, e.g. one of your own; replaces what was registered before.
 *
 * @param kernel The name in tfjs's registry.
 * @param flops FLOPs of one run, 2 per multiply-add.
 * @param bytes Bytes read and written; every input and output once where left out.
 */
export function registerFlops(kernel: string, flops: CostFormula, bytes?: CostFormula): void {
  registry.set(kernel, bytes === undefined ? { flops } : { flops, bytes });
}

/**
 * FLOPs of one run of a kernel, 2 per multiply-add; undefined for a kernel without a formula.
 *
 * Pure: looks at shapes and attributes only.
 */
export function flops(
  kernel: string,
  inputs: KernelInputs,
  attrs: KernelAttrs,
  outputs: readonly Tensor[],
): number | undefined {
  return registry.get(kernel)?.flops(inputs, attrs, outputs);
}
