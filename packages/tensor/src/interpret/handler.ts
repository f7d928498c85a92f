import type { Tensor, Variable } from '@tensorflow/tfjs-core';

/** Inputs of a kernel by name; of those that take a list (`Concat`, `Pack`, `AddN`, `Einsum`) by index, as an array. */
export type KernelInputs = Record<string, Tensor | null | undefined> | readonly Tensor[];

/** Attributes of a kernel: sizes, strides, flags, … */
export type KernelAttrs = Record<string, unknown> | undefined;

/** Runs a kernel as the handlers further out see it, in the end on the backend. */
export type NextKernel = (name: string, inputs: KernelInputs, attrs?: KernelAttrs) => Tensor | Tensor[];

/**
 * Watches or transforms the kernels that a function runs; see `interpret`.
 *
 * What a handler runs itself goes only to the handlers outside of it. Inputs may be missing (null or undefined),
 * attributes too, and outputs may be several.
 */
export interface KernelHandler {
  /** Stands around a kernel: calls `next`, as it was asked or with another kernel, and returns the outputs. */
  kernel(name: string, inputs: KernelInputs, attrs: KernelAttrs, next: NextKernel): Tensor | Tensor[];
  /** After `kernel`: the engine cloned `original` (an input or output that `next` saw) to save it for the tape. */
  cloned?(original: Tensor, copy: Tensor): void;
  /** A tensor came to be, by a kernel or from numbers. Run no kernels here. */
  created?(tensor: Tensor): void;
  /** A tensor died: by `dispose`, at the end of a tidy, or because its variable got a new value. Run no kernels here. */
  disposed?(tensor: Tensor): void;
  /** The values of a tensor are being read (`data`, `dataSync` and what is built on them). Run no kernels here. */
  read?(tensor: Tensor): void;
  /** `variable` took over `value` (and its memory), without a kernel. Run no kernels here, except clones. */
  assigned?(variable: Variable, value: Tensor): void;
}
