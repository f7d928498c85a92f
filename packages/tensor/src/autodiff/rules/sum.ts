import * as tf from '@tensorflow/tfjs-core';

/** The sum of what is there; null for nothing. */
export function sum(...terms: (tf.Tensor | null | undefined)[]): tf.Tensor | null {
  let total: tf.Tensor | null = null;
  for (const term of terms) if (term != null) total = total === null ? term : tf.add(total, term);
  return total;
}
