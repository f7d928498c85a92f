import { layerNorm as normalizeLayer } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput, checkPositive } from './checks.ts';
import { normalizeRms } from './normalize.ts';
import type { Layer } from './spec.ts';

/** Parameters of `layerNorm` and `groupNorm`: `weight` [C] and `bias` [C]. */
export type LayerNormParams = { readonly weight: tf.Tensor1D; readonly bias: tf.Tensor1D };

/** Parameters of `rmsNorm`: `weight` [C]. */
export type RmsNormParams = { readonly weight: tf.Tensor1D };

/** Options of the norms without batch statistics. */
export interface NormOptions {
  /** Added to the variance (to the mean square in `rmsNorm`). Default 1e-5. */
  epsilon?: number;
}

/** (x − mean) ÷ √(variance + ε) · weight + bias over the last axis: […, C] → […, C] (arXiv 1607.06450). */
export function layerNorm(features: number, options: NormOptions = {}): Layer<LayerNormParams> {
  const { epsilon = 1e-5 } = options;
  checkPositive('layerNorm', { features });
  return {
    spec: { kind: 'layerNorm', features, epsilon },
    init: () => ({ weight: tf.ones([features]), bias: tf.zeros([features]) }),
    apply(params, x, ctx) {
      checkInput('layerNorm', x, { last: features }, ctx);
      return normalizeLayer({ x, scale: params.weight, offset: params.bias }, { epsilon });
    },
  };
}

/** x ÷ √(mean(x²) + ε) · weight over the last axis: […, C] → […, C] (arXiv 1910.07467). */
export function rmsNorm(features: number, options: NormOptions = {}): Layer<RmsNormParams> {
  const { epsilon = 1e-5 } = options;
  checkPositive('rmsNorm', { features });
  return {
    spec: { kind: 'rmsNorm', features, epsilon },
    init: () => ({ weight: tf.ones([features]) }),
    apply(params, x, ctx) {
      checkInput('rmsNorm', x, { last: features }, ctx);
      return tf.tidy(() => tf.mul(normalizeRms(x, epsilon), params.weight));
    },
  };
}
