import * as tf from '@tensorflow/tfjs-core';
import { median } from '../harness.ts';

/** Milliseconds of a step, and of each kernel in it (all its calls). */
export interface KernelTimes {
  readonly total: number;
  readonly kernels: Readonly<Record<string, number>>;
}

/** Runs a step on tfjs's current backend and times every kernel within it; medians over the runs. Synchronous backends only. */
export function kernelTimes(step: () => void, runs: number): KernelTimes {
  const backend = tf.getBackend();
  const stock = tf.getKernelsForBackend(backend);
  let times: Record<string, number> = {};
  for (const kernel of stock) {
    tf.unregisterKernel(kernel.kernelName, backend);
    tf.registerKernel({
      ...kernel,
      kernelFunc: (call) => {
        const start = performance.now();
        const result = kernel.kernelFunc(call);
        times[kernel.kernelName] = (times[kernel.kernelName] ?? 0) + performance.now() - start;
        return result;
      },
    });
  }
  const samples: { total: number; kernels: Record<string, number> }[] = [];
  for (let run = -3; run < runs; run++) {
    times = {};
    const start = performance.now();
    step();
    if (run >= 0) samples.push({ total: performance.now() - start, kernels: times });
  }
  for (const kernel of stock) {
    tf.unregisterKernel(kernel.kernelName, backend);
    tf.registerKernel(kernel);
  }
  const names = Object.keys(samples[0]!.kernels);
  return {
    total: median(samples.map((sample) => sample.total)),
    kernels: Object.fromEntries(names.map((name) => [name, median(samples.map((sample) => sample.kernels[name]!))])),
  };
}
