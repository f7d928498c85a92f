import * as tf from '@tensorflow/tfjs-core';

/** A tensor that nobody else holds, so that donating it lets a kernel write in place. */
export const fresh = (x: tf.Tensor | undefined): tf.Tensor => tf.mul(x!, 1);

/** Of cases whose kernel writes in place. */
export const donates = { noVjp: 'writes in place: not for a tape' };
