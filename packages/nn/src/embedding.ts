import { FrugalError, foldIn } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkPositive, whereIs } from './checks.ts';
import { type Initializer, normal } from './initializers.ts';
import type { Layer } from './spec.ts';

/** Parameters of `embedding`: `weight` [count, dim]. */
export type EmbeddingParams = { readonly weight: tf.Tensor2D };

/** Options of `embedding`. */
export interface EmbeddingOptions {
  /** Default `normal({ sd: 1 })`, as PyTorch has it; `gpt` takes 0.02. */
  weightInit?: Initializer;
}

/**
 * A row of `weight` for each id: int32 […] in [0, count) → float32 […, dim].
 *
 * Its gradient needs the kernel UnsortedSegmentSum, which stock wasm lacks.
 *
 * @throws {FrugalError} On `apply`, if the ids are not int32.
 */
export function embedding(count: number, dim: number, options: EmbeddingOptions = {}): Layer<EmbeddingParams> {
  const { weightInit = normal({ sd: 1 }) } = options;
  checkPositive('embedding', { count, dim });
  return {
    spec: { kind: 'embedding', count, dim },
    init: (key) => ({
      weight: weightInit(foldIn(key, 0), [count, dim], { fanIn: count, fanOut: dim }) as tf.Tensor2D,
    }),
    apply(params, ids, ctx) {
      if (ids.dtype !== 'int32') {
        const where = whereIs('embedding', ctx);
        throw new FrugalError('BAD_DTYPE', `${where} takes ids of dtype int32, got ${ids.dtype}. Cast them.`);
      }
      return tf.gather(params.weight, ids as tf.Tensor1D);
    },
  };
}
