import { KernelName, type RandomAttrs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Registration } from '../backend/ops.ts';

/** As in native/random.h. */
const KINDS = [
  [KernelName.RandomBits, 0],
  [KernelName.RandomUniform, 1],
  [KernelName.RandomNormal, 2],
  [KernelName.RandomSigns, 3],
] as const;

/** Streams of random numbers, made by our own part of the binding: TensorFlow's have other bits. */
export const randomKernels: readonly Registration[] = KINDS.map(([name, kind]) => ({
  name,
  bind:
    ({ backend, binding }) =>
    ({ attrs }) => {
      const { hi, lo, offset, shape } = attrs as unknown as RandomAttrs;
      const dtype = kind === 0 ? 'int32' : 'float32';
      const size = tf.util.sizeFromShape(shape);
      const values = kind === 0 ? new Int32Array(size) : new Float32Array(size);
      binding.frugalRandom!(kind, hi >>> 0, lo >>> 0, offset, values);
      return { dataId: backend.write(values, shape, dtype), shape, dtype };
    },
}));
