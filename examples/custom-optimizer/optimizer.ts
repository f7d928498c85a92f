import { chain, type Rate, scaleByLearningRate } from '@frugal/core-trainer';
import { type GradientTransformation, type Tree, treeMap, treeZerosLike } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

const [beta1, beta2, epsilon] = [0.9, 0.99, 1e-8];

/** The mean square of a gradient over all axes but the last: one number for each neuron. */
const perNeuron = (g: tf.Tensor): tf.Tensor => {
  const others = g.shape.slice(1).map((_, axis) => axis);
  return tf.tidy(() => (others.length > 0 ? tf.mean(tf.square(g), others, true) : tf.square(g)));
};
const average = (old: tf.Tensor, now: tf.Tensor, beta: number): tf.Tensor =>
  tf.add(tf.mul(old, beta), tf.mul(now, 1 - beta));

/** Adam with one adaptive rate per neuron instead of one per weight: half of Adam's memory. */
function scaleByNeuron(): GradientTransformation<{ m: Tree; v: Tree }> {
  return {
    init: (params) => ({
      m: treeZerosLike(params),
      v: treeMap((p) => tf.tidy(() => tf.zerosLike(perNeuron(p))), params),
    }),
    update(grads, state, _params, { step }) {
      const m = treeMap((g, old) => tf.tidy(() => average(old!, g as tf.Tensor, beta1)), grads, state.m);
      const v = treeMap((g, old) => tf.tidy(() => average(old!, perNeuron(g as tf.Tensor), beta2)), grads, state.v);
      const [trust, noise] = [1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)];
      const direction = (m: tf.Tensor, v?: tf.Tensor): tf.Tensor =>
        tf.tidy(() => tf.div(tf.div(m, trust), tf.add(tf.sqrt(tf.div(v!, noise)), epsilon)));
      return [treeMap(direction, m, v), { m, v }];
    },
  };
}

/** The optimizer: the direction above, times a rate or a schedule. */
export function neuronAdam(learningRate: Rate): ReturnType<typeof chain> {
  return chain(scaleByNeuron(), scaleByLearningRate(learningRate));
}
