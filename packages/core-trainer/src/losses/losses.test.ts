import { valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  absoluteError,
  distillationLoss,
  huber,
  type Loss,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
  squaredError,
} from './index.ts';

/** A loss of one example in doubles. */
type Reference = (output: number[], target: number[]) => number;

const B = 4;
const C = 3;
const outputs = Array.from({ length: B * C }, (_, i) => 2.5 * Math.sin(3 * i + 1));
const targets = Array.from({ length: B * C }, (_, i) => 2 * Math.cos(2 * i + 0.3));
const probabilities = Array.from({ length: B * C }, (_, i) => [0.2, 0.5, 0.3][(i + Math.floor(i / C)) % C]!);
const labels = [2, 0, 1, 2];
const oneHot = labels.flatMap((label) => [0, 1, 2].map((c) => Number(c === label)));

const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
const logSoftmax = (x: number[]): number[] => {
  const most = Math.max(...x);
  const log = most + Math.log(x.reduce((sum, v) => sum + Math.exp(v - most), 0));
  return x.map((v) => v - log);
};
const crossEntropy: Reference = (x, y) => -logSoftmax(x).reduce((sum, v, i) => sum + v * y[i]!, 0);
const smooth = (y: number[], share: number) => y.map((v) => v * (1 - share) + share / C);
const differences = (x: number[], y: number[], f: (d: number) => number) => mean(x.map((v, i) => f(v - y[i]!)));
const kl: Reference = (student, teacher) => {
  const [s, t] = [logSoftmax(student.map((v) => v / 3)), logSoftmax(teacher.map((v) => v / 3))];
  return 9 * t.reduce((sum, v, i) => sum + Math.exp(v) * (v - s[i]!), 0);
};

const cases: Record<string, { loss: Loss; target: () => tf.Tensor; reference: Reference; values: number[] }> = {
  'softmax cross-entropy': {
    loss: softmaxCrossEntropy,
    target: () => tf.tensor1d(labels, 'int32'),
    reference: crossEntropy,
    values: oneHot,
  },
  'softmax cross-entropy, smoothed': {
    loss: (x, y) => softmaxCrossEntropy(x, y, { smoothing: 0.2 }),
    target: () => tf.tensor1d(labels, 'int32'),
    reference: (x, y) => crossEntropy(x, smooth(y, 0.2)),
    values: oneHot,
  },
  'softmax cross-entropy of probabilities, smoothed': {
    loss: (x, y) => softmaxCrossEntropy(x, y, { smoothing: 0.1 }),
    target: () => tf.tensor2d(probabilities, [B, C]),
    reference: (x, y) => crossEntropy(x, smooth(y, 0.1)),
    values: probabilities,
  },
  'sigmoid cross-entropy': {
    loss: sigmoidCrossEntropy,
    target: () => tf.tensor2d(probabilities, [B, C]),
    reference: (x, y) => mean(x.map((v, i) => Math.log1p(Math.exp(v)) - v * y[i]!)),
    values: probabilities,
  },
  'squared error': {
    loss: squaredError,
    target: () => tf.tensor2d(targets, [B, C]),
    reference: (x, y) => differences(x, y, (d) => d * d),
    values: targets,
  },
  'absolute error': {
    loss: absoluteError,
    target: () => tf.tensor2d(targets, [B, C]),
    reference: (x, y) => differences(x, y, Math.abs),
    values: targets,
  },
  huber: {
    loss: (x, y) => huber(x, y, { delta: 1.5 }),
    target: () => tf.tensor2d(targets, [B, C]),
    reference: (x, y) => differences(x, y, (d) => (Math.abs(d) <= 1.5 ? (d * d) / 2 : 1.5 * (Math.abs(d) - 0.75))),
    values: targets,
  },
  distillation: {
    loss: (x, y) => distillationLoss(x, y, { temperature: 3 }),
    target: () => tf.tensor2d(targets, [B, C]),
    reference: kl,
    values: targets,
  },
};

const row = (values: number[], b: number) => values.slice(b * C, (b + 1) * C);

/** Central differences in doubles of the mean over the batch. */
function gradient(reference: Reference, values: number[]): number[] {
  const total = (x: number[]) => mean(labels.map((_, b) => reference(row(x, b), row(values, b))));
  return outputs.map((_, i) => {
    const at = (h: number) => total(outputs.map((v, j) => (i === j ? v + h : v)));
    return (at(1e-5) - at(-1e-5)) / 2e-5;
  });
}

describeEachBackend('losses', () => {
  for (const [name, { loss, target, reference, values }] of Object.entries(cases)) {
    it(`${name}: value and gradient`, async () => {
      await expectNoLeak(async () => {
        const [x, y] = [tf.tensor2d(outputs, [B, C]), target()];
        const each = loss(x, y);
        await expectClose(
          each,
          labels.map((_, b) => reference(row(outputs, b), row(values, b))),
          1e-6,
        );
        const [value, grad] = valueAndGrad((p: tf.Tensor2D) => tf.mean(loss(p, y)))(x);
        await expectClose(grad, gradient(reference, values), 2e-6);
        tf.dispose([x, y, each, value, grad]);
      });
    });
  }

  it('averages over inner axes and leaves ignored labels out', async () => {
    await expectNoLeak(async () => {
      const logits = tf.tensor3d(outputs, [2, 2, C]);
      const y = tf.tensor2d([2, -1, -1, -1], [2, 2], 'int32');
      const losses = softmaxCrossEntropy(logits, y, { ignore: -1, smoothing: 0.1 });
      await expectClose(losses, [crossEntropy(row(outputs, 0), smooth([0, 0, 1], 0.1)), 0], 1e-6);
      const all = tf.tensor2d(labels, [2, 2], 'int32');
      const means = softmaxCrossEntropy(logits, all);
      const each = labels.map((_, b) => crossEntropy(row(outputs, b), row(oneHot, b)));
      await expectClose(means, [mean(each.slice(0, 2)), mean(each.slice(2))], 1e-6);
      tf.dispose([logits, y, losses, all, means]);
    });
  });

  it('stays finite for huge logits', async () => {
    await expectNoLeak(async () => {
      const logits = tf.tensor2d([1e4, -1e4, 0, -1e4, 1e4, 0], [2, 3]);
      const y = tf.tensor1d([1, 1], 'int32');
      const losses = softmaxCrossEntropy(logits, y);
      await expectClose(losses, [2e4, 0], 1e-6);
      const bits = tf.tensor2d([1, 1, 1, 1, 1, 1], [2, 3]);
      const binary = sigmoidCrossEntropy(logits, bits);
      await expectClose(binary, [(1e4 + Math.log(2)) / 3, (1e4 + Math.log(2)) / 3], 1e-6);
      tf.dispose([logits, y, losses, bits, binary]);
    });
  });

  it('refuses shapes that do not fit, saying which', () => {
    const [a, b, i, f] = [tf.zeros([2, 3]), tf.zeros([2, 1]), tf.zeros([3], 'int32'), tf.zeros([2])];
    for (const loss of [
      squaredError,
      absoluteError,
      huber,
      sigmoidCrossEntropy,
      softmaxCrossEntropy,
      distillationLoss,
    ]) {
      expect(() => loss(a, b)).toThrow(/\[2,3\].*\[2,1\].*same shape/);
    }
    expect(() => softmaxCrossEntropy(a, i)).toThrow(/int32 labels \[2\].*got int32 \[3\]/);
    expect(() => softmaxCrossEntropy(a, f)).toThrow(/must be int32/);
    expect(() => huber(a, a, { delta: 0 })).toThrow(/delta must be .* > 0.*got 0/);
    tf.dispose([a, b, i, f]);
  });
});
