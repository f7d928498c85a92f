import { FrugalError, type Key, randomNormal, randomUniform } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Fans, orthogonal, truncatedNormal, varianceScaling } from '../initializers.ts';
import { type LayerInternals, partsOf } from './internals.ts';
import type { Slot } from './variables.ts';

interface InitializerInternals {
  getClassName(): string;
  getConfig(): Record<string, number | string | boolean | null>;
}

/** Members of layers that hold a weight, and those that hold its initializer. */
const initializerOf: Readonly<Record<string, string>> = {
  kernel: 'kernelInitializer',
  recurrentKernel: 'recurrentInitializer',
  bias: 'biasInitializer',
  embeddings: 'embeddingsInitializer',
  depthwiseKernel: 'depthwiseInitializer',
  pointwiseKernel: 'pointwiseInitializer',
  alpha: 'alphaInitializer',
  gamma: 'gammaInitializer',
  beta: 'betaInitializer',
};

/**
 * A new value for a weight, drawn by key from the distribution of the initializer that its layer was made with.
 *
 * @throws {FrugalError} If the initializer is not one of tfjs's own.
 */
export function freshWeight(slot: Slot, key: Key): tf.Tensor {
  for (const owner of partsOf(slot.layer)) {
    const members = owner as unknown as Record<string, unknown>;
    const held = Object.keys(initializerOf).find((name) => members[name] === slot.variable);
    if (held === undefined) continue;
    const initializer = members[initializerOf[held]!] as InitializerInternals | undefined;
    const made = initializer && draw(initializer, slot.variable.shape as number[], key);
    if (made === undefined) break;
    return held === 'bias' && members['unitForgetBias'] === true ? openForgetGates(made) : made;
  }
  throw new FrugalError(
    'NO_INITIALIZER',
    `init: '${slot.segments.join('.')}' has no initializer that can be drawn from a key. ` +
      "Start from copies of the model's weights instead: treeClone(module.weights()).",
  );
}

/** An LSTM's bias with ones for the forget gates, its second quarter. */
function openForgetGates(bias: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const units = bias.size / 4;
    const [input, , rest] = tf.split(bias, [units, units, 2 * units]) as [tf.Tensor, tf.Tensor, tf.Tensor];
    bias.dispose();
    return tf.concat([input, tf.ones([units]), rest]);
  });
}

function draw(initializer: InitializerInternals, shape: number[], key: Key): tf.Tensor | undefined {
  const config = initializer.getConfig();
  const number = (name: string, otherwise: number): number => (config[name] as number | null | undefined) ?? otherwise;
  const fans = fansOf(shape);
  switch (initializer.getClassName()) {
    case 'Zeros':
      return tf.zeros(shape);
    case 'Ones':
      return tf.ones(shape);
    case 'Constant':
      return tf.fill(shape, number('value', 0));
    case 'RandomUniform':
      return randomUniform(key, shape, { min: number('minval', -0.05), max: number('maxval', 0.05) });
    case 'RandomNormal':
      return randomNormal(key, shape, { mean: number('mean', 0), sd: number('stddev', 0.05) });
    case 'TruncatedNormal':
      return truncatedNormal({ mean: number('mean', 0), sd: number('stddev', 0.05) })(key, shape, fans);
    case 'Identity':
      return tf.tidy(() => tf.mul(tf.eye(shape[0]!, shape[1]), number('gain', 1)));
    case 'Orthogonal':
      return orthogonal({ gain: number('gain', 1) })(key, shape, fans);
    case 'VarianceScaling': {
      const mode = config['mode'] as 'fanIn' | 'fanOut' | 'fanAvg';
      const scale = number('scale', 1);
      if (config['distribution'] === 'uniform') {
        return varianceScaling({ scale, mode, distribution: 'uniform' })(key, shape, fans);
      }
      // tfjs cuts the normal distribution off without making up for the lost variance.
      const fan = mode === 'fanIn' ? fans.fanIn : mode === 'fanOut' ? fans.fanOut : (fans.fanIn + fans.fanOut) / 2;
      return truncatedNormal({ sd: Math.sqrt(scale / Math.max(1, fan)) })(key, shape, fans);
    }
    default:
      return undefined;
  }
}

/** As tfjs-layers counts them. */
function fansOf(shape: readonly number[]): Fans {
  const area = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  if (shape.length >= 2) return { fanIn: area * shape.at(-2)!, fanOut: area * shape.at(-1)! };
  const root = Math.sqrt(shape.reduce((a, b) => a * b, 1));
  return { fanIn: root, fanOut: root };
}
