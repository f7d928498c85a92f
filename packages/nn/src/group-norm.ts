import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput, checkPositive } from './checks.ts';
import type { LayerNormParams, NormOptions } from './layer-norm.ts';
import { normalize } from './normalize.ts';
import type { Layer } from './spec.ts';

/**
 * Normalization per example over groups of channels and all positions: [B, …, C] → [B, …, C] (arXiv 1803.08494).
 *
 * One group is layer norm over the whole example, `groups = features` is instance norm.
 *
 * @param groups Must divide `features`.
 */
export function groupNorm(groups: number, features: number, options: NormOptions = {}): Layer<LayerNormParams> {
  const { epsilon = 1e-5 } = options;
  checkPositive('groupNorm', { groups, features });
  if (features % groups !== 0) {
    throw new FrugalError('BAD_OPTION', `groupNorm: groups must divide features, got ${groups} and ${features}.`);
  }
  return {
    spec: { kind: 'groupNorm', features, groups, epsilon },
    init: () => ({ weight: tf.ones([features]), bias: tf.zeros([features]) }),
    apply(params, x, ctx) {
      checkInput('groupNorm', x, { last: features }, ctx);
      return tf.tidy(() => {
        const batch = x.shape[0]!;
        const positions = x.size / (batch * features);
        const grouped = tf.reshape(x, [batch, positions, groups, features / groups]);
        const y = tf.reshape(normalize(grouped, [1, 3], epsilon).y, x.shape);
        return tf.add(tf.mul(y, params.weight), params.bias);
      });
    },
  };
}
