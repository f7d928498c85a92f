import * as tf from '@tensorflow/tfjs-core';
import type { KernelAttrs, KernelHandler, KernelInputs, NextKernel } from '../interpret/index.ts';
import { formulasOf, type KernelFormulas } from './formulas.ts';
import { bytesOf } from './shapes.ts';

/** What one kernel cost so far. */
export interface KernelTotals {
  readonly name: string;
  readonly formulas: KernelFormulas | undefined;
  /** `formulas.steps`, -1 without. */
  readonly steps: number;
  calls: number;
  flops: number;
  bytes: number;
  ms: number;
}

/** Counts what passes by; lean, as it stands beside every kernel of every step. */
export class Counter implements KernelHandler {
  readonly kernels: Map<string, KernelTotals> = new Map();
  /** Bytes of tensors alive, above those at the last `begin`. */
  live = 0;
  peak = 0;
  readonly #timed: boolean;
  /** Stands for `[out]`, so that none is made for each kernel. */
  readonly #single: tf.Tensor[] = [];
  #buffers = 0;
  // Asking for the engine costs more than the rest of what is done per tensor.
  #engine: { readonly numDataBuffers: number } = tf.engine().state;

  /** With `timed` the time of each kernel is taken, which costs as much as the rest of the counting. */
  constructor(timed: boolean) {
    this.#timed = timed;
  }

  /** Forgets which buffers are alive: from here on the peak counts from zero. */
  begin(): void {
    this.live = 0;
    this.#engine = tf.engine().state;
    this.#buffers = this.#engine.numDataBuffers;
  }

  kernel(name: string, inputs: KernelInputs, attrs: KernelAttrs, next: NextKernel): tf.Tensor | tf.Tensor[] {
    let totals = this.kernels.get(name);
    if (totals === undefined) {
      const formulas = formulasOf(name);
      totals = { name, formulas, steps: formulas?.steps ?? -1, calls: 0, flops: 0, bytes: 0, ms: 0 };
      this.kernels.set(name, totals);
    }
    let out: tf.Tensor | tf.Tensor[];
    if (this.#timed) {
      const start = performance.now();
      out = next(name, inputs, attrs);
      totals.ms += performance.now() - start;
    } else {
      out = next(name, inputs, attrs);
    }
    totals.calls++;
    const { steps, formulas } = totals;
    if (steps >= 0) {
      const { x, a, b } = inputs as { readonly x: tf.Tensor; readonly a?: tf.Tensor; readonly b: tf.Tensor };
      const y = out as tf.Tensor;
      totals.flops += steps * y.size;
      if (a !== undefined) totals.bytes += bytesOf(a) + bytesOf(b) + bytesOf(y);
      else if (x.dataId !== y.dataId) totals.bytes += bytesOf(x) + bytesOf(y);
      return out;
    }
    let outputs = this.#single;
    if (Array.isArray(out)) outputs = out;
    else outputs[0] = out;
    if (formulas !== undefined) totals.flops += formulas.flops(inputs, attrs, outputs);
    totals.bytes +=
      formulas?.bytes === undefined ? everyTensor(inputs, outputs) : formulas.bytes(inputs, attrs, outputs);
    return out;
  }

  // Several tensors may share one buffer, so a tensor counts only if the number of buffers changed with it.
  created(tensor: tf.Tensor): void {
    const buffers = this.#engine.numDataBuffers;
    const isNew = buffers > this.#buffers;
    this.#buffers = buffers;
    if (!isNew) return;
    this.live += bytesOf(tensor);
    if (this.live > this.peak) this.peak = this.live;
  }

  disposed(tensor: tf.Tensor): void {
    const buffers = this.#engine.numDataBuffers;
    const isGone = buffers < this.#buffers;
    this.#buffers = buffers;
    if (!isGone) return;
    this.live -= bytesOf(tensor);
  }
}

function everyTensor(inputs: KernelInputs, outputs: readonly tf.Tensor[]): number {
  let bytes = 0;
  for (const name in inputs) {
    const x = (inputs as Record<string, tf.Tensor | null | undefined>)[name];
    if (x !== null && x !== undefined) bytes += bytesOf(x);
  }
  for (const y of outputs) bytes += bytesOf(y);
  return bytes;
}
