import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend } from '../backend/native.ts';
import { type KernelFunction, Ops, type Registration } from '../backend/ops.ts';
import { lossKernels } from './losses.ts';
import { randomKernels } from './random.ts';
import { stepKernels } from './steps.ts';

const BACKEND = 'tensorflow';
const done = new WeakSet<NodeBackend>();

/**
 * Registers our kernels for the backend 'tensorflow', in the place of stock ones where those are slow or wrong. Does it once.
 *
 * @returns How many.
 */
export function addKernels(backend: NodeBackend): number {
  const native = backend.binding.frugalRandom === undefined ? [] : randomKernels;
  const all: readonly Registration[] = [...lossKernels, ...stepKernels, ...native];
  if (done.has(backend)) return all.length;
  done.add(backend);
  const ops = new Ops(backend);
  for (const { name, bind } of all) {
    const stock = tf.getKernel(name, BACKEND);
    const fallBack: KernelFunction = stock
      ? (call) => stock.kernelFunc(call as Parameters<typeof stock.kernelFunc>[0])
      : () => {
          throw new Error(`tfjs-node has no kernel '${name}' for these dtypes and shapes.`);
        };
    if (stock) tf.unregisterKernel(name, BACKEND);
    tf.registerKernel({ kernelName: name, backendName: BACKEND, kernelFunc: bind(ops, fallBack) as tf.KernelFunc });
  }
  return all.length;
}
