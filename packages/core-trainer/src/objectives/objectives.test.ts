import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { distillationLoss, huber, softmaxCrossEntropy } from '../losses/index.ts';
import { accuracy, classification, distillation, lossFunction, nextToken, regression } from './index.ts';

/** A linear model: logits are x · w. */
const model = { apply: (w: tf.Tensor2D, x: tf.Tensor) => tf.matMul(x as tf.Tensor2D, w) as tf.Tensor };

describeEachBackend('objectives', () => {
  it('classification: loss of a model on labelled examples, accuracy', async () => {
    await expectNoLeak(async () => {
      const raw = { x: tf.eye(3), y: tf.tensor1d([0, 1, 0], 'int32') };
      const w = tf.tensor2d([5, 0, 0, 5, 5, 0], [3, 2]);
      const task = classification();
      const loss = tf.tidy(() => lossFunction(model, task.loss)(w, task.examples(raw), { train: true }));
      await expectClose(loss, [0, 0, 0].fill(Math.log1p(Math.exp(-5))), 1e-6);
      const wrong = tf.tensor2d([0, 1, 0, 1, 1, 0], [3, 2]);
      const right = accuracy(wrong, raw.y);
      await expectClose(right, [0, 1, 1]);
      tf.dispose([raw, w, loss, wrong, right]);
    });
  });

  it('accuracy: one-hot labels, sequences', async () => {
    await expectNoLeak(async () => {
      const logits = tf.tensor3d([1, 0, 0, 1, 0, 1, 0, 1], [2, 2, 2]);
      const labels = tf.tensor2d([0, 0, 1, 1], [2, 2], 'int32');
      const soft = tf.tensor3d([1, 0, 1, 0, 0, 1, 0, 1], [2, 2, 2]);
      const [a, b] = [accuracy(logits, labels), accuracy(logits, soft)];
      await expectClose(a, [0.5, 1]);
      await expectClose(b, [0.5, 1]);
      tf.dispose([logits, labels, soft, a, b]);
    });
  });

  it('regression: takes another loss', async () => {
    await expectNoLeak(async () => {
      const [x, y] = [tf.tensor2d([3, 0], [2, 1]), tf.tensor2d([0, 0.5], [2, 1])];
      const loss = regression({ loss: huber }).loss(x, y);
      await expectClose(loss, [2.5, 0.125]);
      tf.dispose([x, y, loss]);
    });
  });

  it('next token: shifts by one', async () => {
    await expectNoLeak(async () => {
      const tokens = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3], 'int32');
      for (const raw of [tokens, { tokens }]) {
        const { x, y } = nextToken().examples(raw);
        await expectClose(x, [1, 2, 4, 5]);
        await expectClose(y, [2, 3, 5, 6]);
        expect([x.shape, y.dtype]).toEqual([[2, 2], 'int32']);
        tf.dispose([x, y]);
      }
      const short = tf.zeros([2, 1], 'int32');
      expect(() => nextToken().examples(short)).toThrow(/\[B, T \+ 1\].*got \[2,1\]/);
      tf.dispose([tokens, short]);
    });
  });

  it('distillation: mixes the teacher and the task', async () => {
    await expectNoLeak(async () => {
      const raw = { x: tf.eye(2), y: tf.tensor1d([0, 1], 'int32') };
      const [student, teacher] = [tf.tensor2d([1, 2, -1, 0], [2, 2]), tf.tensor2d([3, 1, 0, 2], [2, 2])];
      const task = distillation(classification(), () => teacher.clone(), { share: 0.25, temperature: 3 });
      const { y } = task.examples(raw);
      const loss = task.loss(student, y);
      const [hard, soft] = [
        softmaxCrossEntropy(student, raw.y),
        distillationLoss(student, teacher, { temperature: 3 }),
      ];
      const [h, s] = [await hard.data(), await soft.data()];
      await expectClose(
        loss,
        [0, 1].map((i) => 0.75 * h[i]! + 0.25 * s[i]!),
      );
      const right = task.metrics.accuracy!(student, y);
      await expectClose(right, [0, 1]);
      tf.dispose([raw, student, teacher, y.teacher, loss, hard, soft, right]);
    });
  });
});
