import * as tf from '@tensorflow/tfjs-core';
import type { KernelAttrs, KernelHandler, KernelInputs, NextKernel } from '../interpret/index.ts';
import { formulasOf, type KernelFormulas } from './formulas.ts';
import { bytesOf } from './shapes.ts';

/** What one kernel cost so far. */
export interface KernelTotals {
  readonly name: string;
  readonly formulas: KernelFormulas | undefined;
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
  #buffers = 0;
  // Asking for the engine costs more than the rest of what is done per tensor.
  #engine: { readonly numDataBuffers: number } = tf.engine().state;

  /** Forgets which buffers are alive: from here on the peak counts from zero. */
  begin(): void {
    this.live = 0;
    this.#engine = tf.engine().state;
    this.#buffers = this.#engine.numDataBuffers;
  }

  kernel(name: string, inputs: KernelInputs, attrs: KernelAttrs, next: NextKernel): tf.Tensor | tf.Tensor[] {
    const start = performance.now();
    const out = next(name, inputs, attrs);
    const ms = performance.now() - start;
    let totals = this.kernels.get(name);
    if (totals === undefined) {
      totals = { name, formulas: formulasOf(name), calls: 0, flops: 0, bytes: 0, ms: 0 };
      this.kernels.set(name, totals);
    }
    const outputs = Array.isArray(out) ? out : [out];
    const { formulas } = totals;
    totals.calls++;
    totals.ms += ms;
    if (formulas !== undefined) totals.flops += formulas.flops(inputs, attrs, outputs);
    totals.bytes +=
      formulas?.bytes === undefined ? everyTensor(inputs, outputs) : formulas.bytes(inputs, attrs, outputs);
    return out;
  }

  // Several tensors may share one buffer, so a tensor counts only if the number of buffers changed with it.
  created(tensor: tf.Tensor): void {
    const buffers = this.#engine.numDataBuffers;
    if (buffers <= this.#buffers) return;
    this.#buffers = buffers;
    this.live += bytesOf(tensor);
    if (this.live > this.peak) this.peak = this.live;
  }

  disposed(tensor: tf.Tensor): void {
    const buffers = this.#engine.numDataBuffers;
    if (buffers >= this.#buffers) return;
    this.#buffers = buffers;
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
