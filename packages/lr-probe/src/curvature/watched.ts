import * as tf from '@tensorflow/tfjs-core';
import type { ProbeOptions } from '../problem.ts';
import type { SymmetricOperator } from './operators.ts';

/** An operator whose products are told of, and end where the signal says so; disposing it is left to its owner. */
export function watched(
  operator: SymmetricOperator,
  { signal, onEvent }: ProbeOptions,
  probe: string,
  total: number,
): SymmetricOperator {
  let done = 0;
  return {
    size: operator.size,
    apply(vector) {
      signal?.throwIfAborted();
      const product = operator.apply(vector);
      try {
        onEvent?.({ probe, done: ++done, total });
      } catch (error) {
        tf.dispose(product);
        throw error;
      }
      return product;
    },
    dispose() {},
  };
}
