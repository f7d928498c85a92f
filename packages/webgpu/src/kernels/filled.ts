import * as tf from '@tensorflow/tfjs-core';
import type { Internals } from './dispatch.ts';

/** A tensor of one value, which stays on the host until it is used. */
export function filled(b: Internals, shape: readonly number[], value: number): tf.TensorInfo {
  const info = b.makeTensorInfo(shape, 'float32');
  b.tensorMap.get(info.dataId).values = new Float32Array(tf.util.sizeFromShape([...shape])).fill(value);
  return info;
}
