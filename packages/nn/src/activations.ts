import { FrugalError, gelu as geluTanh } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { NoParams } from './params.ts';
import type { ActivationName, Layer, Spec } from './spec.ts';

/** A layer without parameters from its spec and its function. */
export function parameterFree(spec: Spec, apply: Layer<NoParams>['apply']): Layer<NoParams> {
  return { spec, init: () => ({}), apply };
}

/** x · Φ(x) with the error function itself. */
function geluErf(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)));
}

const functions: Readonly<Record<Exclude<ActivationName, 'leakyRelu'>, (x: tf.Tensor) => tf.Tensor>> = {
  relu: (x) => tf.relu(x),
  relu6: (x) => tf.relu6(x),
  elu: (x) => tf.elu(x),
  selu: (x) => tf.selu(x),
  gelu: (x) => geluTanh(x),
  geluExact: geluErf,
  silu: (x) => tf.tidy(() => tf.mul(x, tf.sigmoid(x))),
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
  softplus: (x) => tf.softplus(x),
  softmax: (x) => tf.softmax(x),
  linear: (x) => x.clone(),
};

/**
 * An activation by name.
 *
 * `'gelu'` is the tanh form, `'geluExact'` the one with erf; `'softmax'` runs over the last axis.
 *
 * @throws {FrugalError} For an unknown name.
 */
export function activation(name: ActivationName): Layer<NoParams> {
  if (name === 'leakyRelu') return leakyRelu();
  const f = functions[name];
  if (f === undefined) {
    const known = [...Object.keys(functions), 'leakyRelu'].join(', ');
    throw new FrugalError('BAD_OPTION', `activation: no activation is called '${name}'. Take one of: ${known}.`);
  }
  return parameterFree({ kind: 'activation', activation: name }, (_, x) => f(x));
}

/** max(x, 0). */
export function relu(): Layer<NoParams> {
  return activation('relu');
}

/** x where x > 0, else alpha · x. */
export function leakyRelu(alpha = 0.01): Layer<NoParams> {
  return parameterFree({ kind: 'activation', activation: 'leakyRelu', alpha }, (_, x) => tf.leakyRelu(x, alpha));
}

/** GELU in the tanh form: x/2 · (1 + tanh(√(2/π)(x + 0.044715 x³))) (arXiv 1606.08415). */
export function gelu(): Layer<NoParams> {
  return activation('gelu');
}

/** x · sigmoid(x), also known as swish. */
export function silu(): Layer<NoParams> {
  return activation('silu');
}

/** The hyperbolic tangent. */
export function tanh(): Layer<NoParams> {
  return activation('tanh');
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(): Layer<NoParams> {
  return activation('sigmoid');
}

/** eˣ / Σ eˣ over the last axis. */
export function softmax(): Layer<NoParams> {
  return activation('softmax');
}
