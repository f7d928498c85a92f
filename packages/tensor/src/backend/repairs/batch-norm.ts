import * as tf from '@tensorflow/tfjs-core';
import { sumTo } from './broadcast.ts';

/** Input names to save; those that the call leaves out are skipped, where the engine would clone `undefined`. */
class PresentInputs extends Array<string> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
  override map<U>(f: (name: string, index: number, all: string[]) => U): U[] {
    return super.map(f).filter((value) => value !== undefined && value !== null);
  }
}

/** y = (x − mean) · scale / √(variance + ε) + offset; scale and offset may be missing. */
const gradient: tf.GradConfig = {
  kernelName: 'FusedBatchNorm',
  inputsToSave: PresentInputs.of('x', 'mean', 'variance', 'scale'),
  gradFunc: (dy, saved, attrs) => {
    const [x, mean, variance, scale] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor | undefined];
    const g = dy as tf.Tensor;
    const inverse = (): tf.Tensor => tf.rsqrt(tf.add(variance, attrs.varianceEpsilon as number));
    const scaled = (t: tf.Tensor): tf.Tensor => (scale === undefined ? t : tf.mul(t, scale));
    const sum = (t: tf.Tensor): tf.Tensor => sumTo(t, mean.shape);
    const deviation = (): tf.Tensor => sum(tf.mul(g, tf.sub(x, mean)));
    return {
      x: () => tf.mul(g, scaled(inverse())),
      mean: () => tf.neg(tf.mul(sum(g), scaled(inverse()))),
      variance: () => tf.mul(scaled(deviation()), tf.mul(tf.pow(inverse(), 3), -0.5)),
      scale: () => tf.mul(deviation(), inverse()),
      offset: () => sum(g),
    };
  },
};

const wrapped = new WeakSet<tf.KernelFunc>();

/**
 * Drops inputs that are named but missing before anybody walks over them: the tape cannot bear them.
 *
 * In a kernel, as the tape looks at the same object after the kernel ran. Per backend, so repeated for each that starts.
 */
export function dropMissingInputs(): void {
  const backendName = tf.getBackend();
  const config = tf.getKernel('FusedBatchNorm', backendName);
  if (config === undefined || wrapped.has(config.kernelFunc)) return;
  const kernelFunc: tf.KernelFunc = (params) => {
    const inputs = params.inputs as Record<string, tf.TensorInfo | undefined>;
    for (const name of ['scale', 'offset'])
      if (inputs[name] === undefined || inputs[name] === null) delete inputs[name];
    return config.kernelFunc(params);
  };
  wrapped.add(kernelFunc);
  tf.unregisterKernel('FusedBatchNorm', backendName);
  tf.registerKernel({ ...config, kernelFunc });
}

/** `batchNorm` without scale or offset: stock throws. */
export const batchNormRepairs = (): tf.GradConfig[] => [gradient];
