import * as tf from '@tensorflow/tfjs-core';
import { randomNormal, randomSigns } from '../random/samplers.ts';
import type { Key } from '../seams/index.ts';
import { checkFinite, checkFloats } from './check.ts';
import { KernelName } from './names.ts';
import { donating, hasKernel, runKernel } from './run.ts';

/** Options of `addNoise`. */
export interface AddNoiseOptions {
  readonly scale: number;
  readonly noise: 'normal' | 'signs';
  /** Index of the first element in the key's stream. Default 0. */
  readonly offset?: number;
}

/**
 * p + scale · noise, where the noise is `randomNormal` or `randomSigns` of the same key, shape and offset.
 *
 * A backend's kernel makes the noise on the way, without a buffer for it.
 *
 * @param p Donated: disposed here, reused where nobody else holds it.
 * @throws {KernelArgumentError} If `p` is not float32 or `scale` not finite.
 */
export function addNoise(p: tf.Tensor, key: Key, options: AddNoiseOptions): tf.Tensor {
  const { scale, noise, offset = 0 } = options;
  checkFloats(KernelName.AddNoise, 'p', p);
  checkFinite(KernelName.AddNoise, { scale });
  return donating(KernelName.AddNoise, [p], [], () => {
    if (hasKernel(KernelName.AddNoise)) {
      return runKernel(KernelName.AddNoise, { p }, { hi: key.hi, lo: key.lo, offset, scale, noise })[0]!;
    }
    const make = noise === 'normal' ? randomNormal : randomSigns;
    return tf.add(p, tf.mul(make(key, p.shape, { offset }), scale));
  });
}
