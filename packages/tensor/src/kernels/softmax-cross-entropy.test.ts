import { describeEachBackend, expectClose, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts';

const attrs = fc
  .record({
    batch: fc.integer({ min: 1, max: 9 }),
    classes: fc.integer({ min: 1, max: 40 }),
    shift: fc.constantFrom(0, 100),
  })
  .chain((sizes) =>
    fc.record({
      batch: fc.constant(sizes.batch),
      classes: fc.constant(sizes.classes),
      shift: fc.constant(sizes.shift),
      labels: fc.array(fc.nat(sizes.classes - 1), { minLength: sizes.batch, maxLength: sizes.batch }),
    }),
  );

describeEachBackend('softmaxCrossEntropy', () => {
  itConforms('softmaxCrossEntropy', {
    attrs,
    shapes: ({ batch, classes }) => ({ logits: [batch, classes] }),
    run: ({ logits }, { labels }) =>
      tf.tidy(() => softmaxCrossEntropy({ logits: logits!, labels: tf.tensor1d(labels, 'int32') })),
    reference: ({ logits }, { classes, labels }) => [
      Float64Array.from(labels, (label, i) => {
        const row = logits!.subarray(i * classes, (i + 1) * classes);
        const top = Math.max(...row);
        return Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top - row[label]!;
      }),
    ],
    differentiable: ['logits'],
  });

  it('stays finite for large logits', async () => {
    await expectNoLeak(async () => {
      const logits = tf.tensor2d([
        [1e4, 0, -1e4],
        [-1e30, 0, 1e30],
      ]);
      const labels = tf.tensor1d([2, 2], 'int32');
      const loss = softmaxCrossEntropy({ logits, labels });
      const gradient = tf.grad((logits) => softmaxCrossEntropy({ logits, labels }))(logits);
      await expectClose(loss, [2e4, 0]);
      await expectClose(gradient, [1, 0, -1, 0, 0, 0]);
      tf.dispose([logits, labels, loss, gradient]);
    });
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const [logits, labels] = [tf.ones([2, 3]), tf.ones([2])];
      expect(() => softmaxCrossEntropy({ logits, labels })).toThrow(/labels must be int32, got float32/);
      expect(() => softmaxCrossEntropy({ logits: labels, labels })).toThrow(/logits must have the shape/);
      tf.dispose([logits, labels]);
    });
  });
});
