import * as tf from '@tensorflow/tfjs-core';
import { median } from '../harness.ts';

/** Milliseconds of a step, and of each kernel in it (all its calls). */
export interface KernelTimes {
  readonly total: number;
  readonly kernels: Readonly<Record<string, number>>;
  /** The share of a step that kernels with such names take: the median of the shares, so that interruptions count alike. */
  share(names: RegExp): number;
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
  // As many again first: the engine compiles hot code late.
  for (let run = -runs; run < runs; run++) {
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
  const sum = (values: Record<string, number>, wanted: RegExp): number =>
    Object.entries(values).reduce((all, [name, ms]) => (wanted.test(name) ? all + ms : all), 0);
  return {
    total: median(samples.map((sample) => sample.total)),
    kernels: Object.fromEntries(names.map((name) => [name, median(samples.map((sample) => sample.kernels[name]!))])),
    share: (wanted) => median(samples.map((sample) => sum(sample.kernels, wanted) / sample.total)),
  };
}
