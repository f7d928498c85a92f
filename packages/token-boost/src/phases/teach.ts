import { FrugalError, gelu, type OpenLesson, stopGradient, type Tree, treeAt, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { BoostParams } from '../boost.ts';
import type { Gate } from '../gate.ts';
import type { Learners } from '../learners.ts';
import type { Affine, Replaced, Teaching } from '../teaching.ts';

/** The layer that is taught. */
interface Pupil {
  readonly gate: Gate;
  readonly learners: Learners;
  readonly path: string;
}

const affine = (x: tf.Tensor, { weight, bias }: Affine): tf.Tensor => {
  const y = tf.matMul(x as tf.Tensor2D, weight);
  return bias === undefined ? y : tf.add(y, bias);
};

/** What stood in the layer's place, on its tokens. */
function original(replaced: Replaced, activation: 'relu' | 'gelu', x: tf.Tensor): tf.Tensor {
  if (!('fc1' in replaced)) return affine(x, replaced);
  const hidden = affine(x, replaced.fc1);
  return affine(activation === 'relu' ? tf.relu(hidden) : gelu(hidden), replaced.fc2);
}

/** Mean over every k ≥ 1 of the mean squared error of the first k learners: [tokens]. */
function distillation(sums: readonly tf.Tensor[], target: tf.Tensor): tf.Tensor {
  return tf.div(tf.addN(sums.map((sum) => tf.mean(tf.squaredDifference(sum, target), 1))), sums.length);
}

/**
 * The smallest n from 2 on at which the n-th learner takes the distance to the target to no less than `factor` of what it
 * was, else all: [tokens] int32 (arXiv 2312.10193; its code has 1 ÷ 1.2 for the factor).
 */
export function gateLabels(distances: readonly tf.Tensor[], factor: number): tf.Tensor {
  return tf.tidy(() => {
    let goes: tf.Tensor = tf.onesLike(distances[0]!);
    let label: tf.Tensor = tf.fill(goes.shape, Math.min(2, distances.length));
    for (let n = 2; n < distances.length; n++) {
      const helps = tf.less(distances[n - 1]!, tf.mul(distances[n - 2]!, factor));
      goes = tf.mul(goes, tf.cast(helps, 'float32'));
      label = tf.add(label, goes);
    }
    return tf.cast(label, 'int32');
  });
}

function gateCrossEntropy(gate: Gate, params: BoostParams, x: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const logits = gate.logits(params.gate, x);
  const wanted = tf.cast(
    tf.oneHot(tf.cast(tf.sub(labels, gate.min), 'int32') as tf.Tensor1D, logits.shape[1]!),
    'float32',
  );
  return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), wanted), 1));
}

/** What the layer at a path replaced. */
function replacedAt(trained: Tree, path: string): Replaced {
  const found = treeAt(trained, path) as Partial<Record<'fc1' | 'weight', unknown>> | undefined;
  if (found?.fc1 !== undefined || found?.weight !== undefined) return found as Replaced;
  const known = treeEntries(trained).map(([name]) => name);
  throw new FrugalError(
    'NO_TEACHER',
    `There is no { fc1, fc2 } or { weight, bias } at '${path}' in the trained parameters; they have ${known.slice(0, 8).join(', ')}, …`,
  );
}

/** Reports the layer's own loss on its tokens, gradients into them stopped, and gives what the replaced layer gives. */
export function teach({ lesson, report }: OpenLesson, pupil: Pupil, params: BoostParams, x: tf.Tensor): tf.Tensor {
  const { gate, learners, path } = pupil;
  const { what, trained, factor } = lesson as Teaching;
  const seen = stopGradient(x);
  const target = original(replacedAt(trained, path), learners.activation, seen);
  const sums = learners.partialSums(params.learners, seen).map((sum) => tf.add(sum, params.bias));
  if (what === 'learners') {
    report(distillation(sums, target));
  } else {
    const distances = sums.map((sum) => tf.norm(tf.sub(stopGradient(sum), target), 2, 1));
    report(gateCrossEntropy(gate, params, seen, gateLabels(distances, factor)));
  }
  return target;
}
