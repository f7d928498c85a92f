import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Runtime } from '../runtime/runtime.ts';

/** What a kernel function is called with. */
export interface KernelCall {
  readonly inputs: tf.NamedTensorInfoMap;
  readonly attrs: tf.NamedAttrMap;
  readonly backend: unknown;
}

export type KernelResult = tf.TensorInfo | tf.TensorInfo[];
export type KernelFunction = (call: KernelCall) => KernelResult;

/** Makes the kernel for a runtime. `stock` is the kernel that it replaces; one that tfjs lacks throws. */
export type Bind = (runtime: Runtime, stock: KernelFunction) => KernelFunction;

/** A kernel of ours, not yet bound to a runtime. */
export interface Registration {
  readonly name: string;
  readonly bind: Bind;
}

/** Declares a kernel. It falls back to `stock(call)` where it does not fit, by dtype or shape, never silently wrong. */
export function over(name: string, bind: Bind): Registration {
  return { name, bind };
}

/** Whether all tensors are float32. */
export function allFloat(...tensors: readonly (tf.TensorInfo | undefined)[]): boolean {
  return tensors.every((x) => x === undefined || x.dtype === 'float32');
}

/** Refuses what a kernel of ours cannot take; it has no stock kernel to fall back to. */
export function expectFloat(kernel: string, ...tensors: readonly (tf.TensorInfo | undefined)[]): void {
  for (const x of tensors) {
    if (x !== undefined && x.dtype !== 'float32') throw refusal(kernel, `takes float32 tensors, got ${x.dtype}`);
  }
}

/** The error for arguments that a kernel of ours refuses. */
export function refusal(kernel: string, what: string): FrugalError {
  return new FrugalError('BAD_ARGUMENT', `${kernel} ${what}.`);
}

/** Registers kernels in place of the stock ones; returns what undoes it. */
export function register(registrations: readonly Registration[], runtime: Runtime): () => void {
  const undo: (() => void)[] = [];
  for (const { name, bind } of registrations) {
    const stock = tf.getKernel(name, 'wasm');
    const stockFunction: KernelFunction = stock
      ? (call) => stock.kernelFunc(call as Parameters<typeof stock.kernelFunc>[0])
      : () => {
          throw new Error(`tfjs's wasm backend has no kernel '${name}' for these dtypes and shapes.`);
        };
    const ours = bind(runtime, stockFunction);
    const config = {
      kernelName: name,
      backendName: 'wasm',
      // A backend started later has a heap of its own, which our addresses know nothing of.
      kernelFunc: (call: KernelCall) => (call.backend === runtime.backend ? ours(call) : stockFunction(call)),
      ...(stock?.setupFunc && { setupFunc: stock.setupFunc }),
      ...(stock?.disposeFunc && { disposeFunc: stock.disposeFunc }),
    } as unknown as tf.KernelConfig;
    if (stock) tf.unregisterKernel(name, 'wasm');
    tf.registerKernel(config);
    undo.push(() => {
      if (tf.getKernel(name, 'wasm') !== config) return;
      tf.unregisterKernel(name, 'wasm');
      if (stock) tf.registerKernel(stock);
    });
  }
  return () => {
    for (const back of undo.reverse()) back();
  };
}
