import type { Tensor } from '@tensorflow/tfjs-core';
import type { KernelAttrs, KernelInputs } from '../interpret/index.ts';
import type { CostFormula, KernelFormulas } from './formulas.ts';

/** A part of the table of formulas, by kernel name. */
export type FormulaTable = Readonly<Record<string, CostFormula | KernelFormulas>>;

/** A named input that the kernel always has. */
export function input(inputs: KernelInputs, name: string): Tensor {
  return (inputs as Record<string, Tensor>)[name]!;
}

/** A named input that may be missing. */
export function optional(inputs: KernelInputs, name: string): Tensor | undefined {
  return (inputs as Record<string, Tensor | null | undefined>)[name] ?? undefined;
}

/** All inputs that are there. */
export function all(inputs: KernelInputs): Tensor[] {
  return Object.values(inputs).filter((x): x is Tensor => x !== null && x !== undefined);
}

/** An attribute, typed by the caller. */
export function attr<T>(attrs: KernelAttrs, name: string): T {
  return attrs?.[name] as T;
}

/** Size along an axis, counted from the end where negative. */
export function size(x: Tensor, axis: number): number {
  return x.shape[axis < 0 ? x.rank + axis : axis]!;
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

/** Elements in a pooling window; `filterSize` is one number for all of `rank` axes, or a list. */
export function windowSize(attrs: KernelAttrs, rank: number): number {
  const filterSize = attr<number | number[]>(attrs, 'filterSize');
  return typeof filterSize === 'number' ? filterSize ** rank : product(filterSize);
}

export const bytesOf = (x: Tensor): number => {
  if (x.dtype === 'float32' || x.dtype === 'int32') return x.size * 4;
  return x.dtype === 'bool' ? x.size : x.dtype === 'complex64' ? x.size * 8 : 0;
};
