import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend } from '../backend/native.ts';
import { type KernelFunction, Ops, type Registration } from '../backend/ops.ts';
import { convKernels, poolKernels } from './conv.ts';
import { elementwiseKernels } from './elementwise.ts';
import { lossKernels } from './losses.ts';
import { matmulKernels } from './matmul.ts';
import { randomKernels } from './random.ts';
import { reduceKernels } from './reduce.ts';
import { shapeKernels } from './shapes.ts';
import { stepKernels } from './steps.ts';

/** Every kernel of ours, by subject. */
const registrations: readonly Registration[] = [
  ...convKernels,
  ...elementwiseKernels,
  ...lossKernels,
  ...matmulKernels,
  ...poolKernels,
  ...randomKernels,
  ...reduceKernels,
  ...shapeKernels,
  ...stepKernels,
];

const BACKEND = 'tensorflow';
const done = new WeakSet<NodeBackend>();

/**
 * Registers our kernels for the backend 'tensorflow', in the place of stock ones where those are slow or wrong. Does it once.
 *
 * @returns How many; 0 where the binding has none of our functions, as another version of this package compiled it.
 */
export function addKernels(backend: NodeBackend): number {
  if (backend.binding.frugalRun === undefined) return 0;
  if (done.has(backend)) return registrations.length;
  done.add(backend);
  const ops = new Ops(backend);
  for (const { name, bind } of registrations) {
    const stock = tf.getKernel(name, BACKEND);
    const fallBack: KernelFunction = stock
      ? (call) => stock.kernelFunc(call as Parameters<typeof stock.kernelFunc>[0])
      : () => {
          throw new Error(`tfjs-node has no kernel '${name}' for these dtypes and shapes.`);
        };
    if (stock) tf.unregisterKernel(name, BACKEND);
    const ours = bind(ops, fallBack);
    // Another backend of the same name has handles of its own, which these kernels know nothing of.
    const kernelFunc: KernelFunction = (call) => (call.backend === backend ? ours(call) : fallBack(call));
    tf.registerKernel({ kernelName: name, backendName: BACKEND, kernelFunc: kernelFunc as tf.KernelFunc });
  }
  return registrations.length;
}
