import { fillUniform, type Key, type Module, split } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The connections: from words to neurons, and from neurons to words. */
export type Connections = {
  readonly toNeurons: tf.Tensor2D; // [words, neurons]
  readonly toWords: tf.Tensor2D; // [neurons, words]
};

/** A language model that fits on a napkin: word numbers [B, T] → scores of the next word [B, T, words]. */
export interface NapkinModel extends Module<Connections> {
  /** How brightly each neuron shines for each word that goes in: [B · T, neurons]. */
  light(params: Connections, ids: tf.Tensor): tf.Tensor2D;
  /** What the lit neurons say about the next word, to be read through softmax: [B · T, words]. */
  speak(params: Connections, light: tf.Tensor): tf.Tensor2D;
}

/** Uniform numbers in [low, low + 1). */
function random(key: Key, shape: [number, number], low: number): tf.Tensor2D {
  const values = new Float32Array(shape[0] * shape[1]);
  fillUniform(key, values);
  return tf.tensor2d(
    values.map((value) => value + low),
    shape,
  );
}

/** One hidden layer, and nothing else: a word lights neurons (ReLU), lit neurons vote for the next word. */
export function napkinModel(words: number, neurons: number): NapkinModel {
  const light = ({ toNeurons }: Connections, ids: tf.Tensor): tf.Tensor2D =>
    tf.tidy(() => {
      const oneHot = tf.cast(tf.oneHot(tf.reshape(ids, [ids.size]) as tf.Tensor1D, words), 'float32');
      return tf.relu(tf.matMul(oneHot as tf.Tensor2D, toNeurons));
    });
  const speak = ({ toWords }: Connections, lit: tf.Tensor): tf.Tensor2D => tf.matMul(lit as tf.Tensor2D, toWords);
  return {
    light,
    speak,
    init(key) {
      const [first, second] = split(key);
      // No connection to a neuron starts below zero: a neuron that is dark for every word could never be corrected.
      return { toNeurons: random(first, [words, neurons], 0), toWords: random(second, [neurons, words], -0.5) };
    },
    apply: (params, ids) => tf.tidy(() => tf.reshape(speak(params, light(params, ids)), [...ids.shape, words])),
  };
}
