import * as tf from '@tensorflow/tfjs-core';
import { type KernelCall, over, type Registration } from './over.ts';

function reversed(backend: KernelCall['backend'], x: tf.TensorInfo, axis: number): tf.TensorInfo {
  const { kernelFunc } = tf.getKernel('Reverse', 'webgpu');
  return kernelFunc({ inputs: { x }, attrs: { dims: [axis] }, backend }) as tf.TensorInfo;
}

/**
 * From the end to the start, on a reversed copy: the stock program has the length of the axis in its text but not in its key,
 * so that a second length runs the first one's program.
 */
function scan(name: string): Registration {
  return over(name, (stock) => (call) => {
    const { backend, inputs, attrs } = call;
    if (attrs.reverse !== true) return stock(call);
    const axis = attrs.axis as number;
    const x = reversed(backend, inputs.x!, axis);
    const sums = stock({ backend, inputs: { x }, attrs: { ...attrs, reverse: false } }) as tf.TensorInfo;
    const result = reversed(backend, sums, axis);
    backend.disposeData(x.dataId);
    backend.disposeData(sums.dataId);
    return result;
  });
}

/** Sums and products along an axis. */
export const scans: readonly Registration[] = [scan('Cumsum'), scan('Cumprod')];
