import { backprop, lossFunction } from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import {
  key,
  meter,
  randomIntegers,
  randomNormal,
  type Staged,
  softmaxCrossEntropy,
  type Tree,
  treeDispose,
  treeLeaves,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import type * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { checkpointedBackprop } from './checkpointed-backprop.ts';

type Batch = { x: tf.Tensor; y: tf.Tensor };
const criterion = (logits: tf.Tensor, { y }: Batch): tf.Tensor1D =>
  softmaxCrossEntropy({ logits, labels: y }) as tf.Tensor1D;

function problem(layers: number, width: number) {
  const model = mlp([5, ...new Array<number>(layers - 1).fill(width), 3], { dropout: 0.2 }) as unknown as Staged<Tree>;
  const batch = { x: randomNormal(key(1), [32, 5]), y: randomIntegers(key(2), [32], { max: 3 }) };
  return { model, batch, params: model.init(key(3)) };
}

describeEachBackend('checkpointedBackprop', () => {
  it.each([1, 2, 3, undefined, 10])('gives the gradients of backprop, segments of %s stages', async (every) => {
    await expectNoLeak(async () => {
      const { model, batch, params } = problem(7, 6);
      const { loss, estimator } = checkpointedBackprop<Tree, Batch>(
        model,
        criterion,
        every === undefined ? {} : { every },
      );
      const plain = backprop()(loss, params, batch, key(4), { train: true });
      const ours = estimator(loss, params, batch, key(4), { train: true });
      await expectClose(ours.loss, plain.loss, 1e-6);
      const expected = treeLeaves(plain.grads) as tf.Tensor[];
      for (const [i, g] of (treeLeaves(ours.grads) as tf.Tensor[]).entries()) await expectClose(g, expected[i]!, 1e-6);
      treeDispose([params, batch, ours.grads, plain.grads, ours.loss, plain.loss] as never);
    });
  });

  it('needs less memory than the tape, and refuses what it cannot do', async () => {
    await expectNoLeak(() => {
      const { model, batch, params } = problem(36, 8);
      const { loss, estimator } = checkpointedBackprop<Tree, Batch>(model, criterion);
      const plain = lossFunction(model as never, ((logits: tf.Tensor, b: Batch) => criterion(logits, b)) as never);
      const free = ({ loss: value, grads }: { loss: tf.Tensor; grads: unknown }): void => {
        treeDispose(grads as Tree);
        value.dispose();
      };
      const ours = meter(() => free(estimator(loss, params, batch, key(4)))).peakBytes;
      const tape = meter(() => free(backprop()(loss, params, batch, key(4), { train: true }))).peakBytes;
      expect(ours).toBeLessThan(0.6 * tape);
      expect(() => estimator(plain, params, batch, key(4))).toThrow(/takes the loss that came with it/);
      expect(() => checkpointedBackprop(model, criterion as never, { every: 0 })).toThrow(/every must be/);
      treeDispose([params, batch] as never);
    });
  });
});
