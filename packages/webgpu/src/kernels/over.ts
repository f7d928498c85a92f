import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Internals, internals } from './dispatch.ts';

/** What a kernel function is called with. */
export interface KernelCall {
  readonly inputs: tf.NamedTensorInfoMap;
  readonly attrs: tf.NamedAttrMap;
  readonly backend: Internals;
}

export type KernelResult = tf.TensorInfo | tf.TensorInfo[];
export type KernelFunction = (call: KernelCall) => KernelResult;

/** A kernel of ours; `stock` is tfjs's one of the same name. */
export interface Registration {
  readonly name: string;
  readonly make: (stock: KernelFunction) => KernelFunction;
}

/** Declares a kernel. */
export function over(name: string, make: Registration['make']): Registration {
  return { name, make };
}

/** Refuses what a kernel of ours cannot take; it has no other to fall back to. */
export function expectFloat(kernel: string, ...tensors: readonly (tf.TensorInfo | undefined)[]): void {
  for (const x of tensors) {
    if (x !== undefined && x.dtype !== 'float32') {
      throw new FrugalError('BAD_ARGUMENT', `${kernel} takes float32 tensors, got ${x.dtype}.`);
    }
  }
}

const registered = new Set<string>();

/** Registers kernels for backend 'webgpu', once; one that tfjs has is replaced. */
export function register(registrations: readonly Registration[]): void {
  for (const { name, make } of registrations) {
    if (registered.has(name)) continue;
    registered.add(name);
    const stock = tf.getKernel(name, 'webgpu');
    const ours = make((call) => {
      if (stock === undefined) throw new Error(`tfjs's webgpu backend has no kernel '${name}'.`);
      return stock.kernelFunc(call as unknown as Parameters<typeof stock.kernelFunc>[0]);
    });
    if (stock !== undefined) tf.unregisterKernel(name, 'webgpu');
    tf.registerKernel({
      kernelName: name,
      backendName: 'webgpu',
      kernelFunc: ({ inputs, attrs, backend }) =>
        ours({ inputs: inputs as tf.NamedTensorInfoMap, attrs: attrs as tf.NamedAttrMap, backend: internals(backend) }),
    });
  }
}
