import { type Event, key, type Tree, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { earlyStopping, fromArrays, keepBest, memoryStore, saveTo, sgd, type TrainOptions, train } from '../index.ts';

type Params = { w: tf.Tensor };
type Batch = { x: tf.Tensor };

/** The gradient is 1 everywhere, so after n steps of size 1 the parameter is −n. */
function options(
  scores: readonly number[],
  more: Partial<TrainOptions<Params, Batch>> = {},
): TrainOptions<Params, Batch> {
  return {
    model: { init: () => ({ w: tf.zeros([1]) }) },
    loss: ({ w }) => tf.add(w, 0) as tf.Tensor1D,
    optimizer: sgd(1),
    data: fromArrays({ x: [0] }, { batchSize: 1 }),
    key: key(0),
    epochs: scores.length,
    evaluate: async ({ w }) => ({ score: scores[-(await w.data())[0]! - 1]! }),
    ...more,
  };
}

const free = ({ params, optimizer, state }: { params: Tree; optimizer: Tree; state: Tree }): void =>
  treeDispose([params, optimizer, state]);

describeEachBackend('hooks', () => {
  it('earlyStopping ends a run that no longer improves', async () => {
    await expectNoLeak(async () => {
      const scores = [5, 4, 4.5, 3.95, 4.2, 3, 2];
      const stop = (patience: number, minDelta = 0) =>
        train(options(scores, { hooks: [earlyStopping({ metric: 'score', patience, minDelta })] })).result;
      const results = [await stop(1), await stop(2), await stop(2, 0.1), await stop(9)];
      expect(results.map(({ steps, reason }) => [steps, reason])).toEqual([
        [3, 'stopped'],
        [7, 'finished'],
        [4, 'stopped'],
        [7, 'finished'],
      ]);
      results.forEach(free);
    });
  });

  it('earlyStopping counts on after a resume, and lets a stopped run rest', async () => {
    await expectNoLeak(async () => {
      const store = memoryStore();
      const scores = [1, 2, 3, 4, 5];
      const hooks = () => [earlyStopping({ metric: 'score', patience: 3 })];
      const checkpoint = saveTo(store, { resume: true });
      free(await train(options(scores, { steps: 3, hooks: hooks(), checkpoint })).result);
      for (const _ of [0, 1]) {
        const resumed = await train(options(scores, { hooks: hooks(), checkpoint })).result;
        expect([resumed.steps, resumed.reason]).toEqual([4, 'stopped']);
        free(resumed);
      }
    });
  });

  it('keepBest keeps the parameters of the best evaluation, through a resume', async () => {
    await expectNoLeak(async () => {
      const scores = [0.1, 0.9, Number.NaN, 0.3, 0.2];
      const best = keepBest<Params>({ metric: 'score', mode: 'max' });
      expect(() => best.take()).toThrow(/no best parameters/);
      free(await train(options(scores, { hooks: [best] })).result);
      expect(best.best).toMatchObject({ value: 0.9, step: 2 });
      const params = best.take();
      expect([...(await params.w.data())]).toEqual([-2]);
      treeDispose(params);
      expect(best.best).toBeUndefined();
    });
  });

  it('keepBest is in checkpoints', async () => {
    await expectNoLeak(async () => {
      const scores = [0.1, 0.9, 0.5, 0.3, 0.2];
      const store = memoryStore();
      const first = keepBest<Params>({ metric: 'score', mode: 'max' });
      free(
        await train(options(scores, { steps: 4, hooks: [first], checkpoint: saveTo(store, { resume: true }) })).result,
      );
      const second = keepBest<Params>({ metric: 'score', mode: 'max' });
      free(await train(options(scores, { hooks: [second], checkpoint: saveTo(store, { resume: true }) })).result);
      expect(second.best).toMatchObject({ value: 0.9, step: 2 });
      expect([...(await second.best!.params.w.data())]).toEqual([-2]);
      first.dispose();
      second.dispose();
    });
  });

  it('names the metrics that there are when the watched one does not come', async () => {
    const hooks = [earlyStopping({ metric: 'accuracy' })];
    await expect(train(options([1], { hooks })).result).rejects.toThrow(/'accuracy'.*only score/);
    expect(() => earlyStopping({ patience: 0 })).toThrow(/patience/);
    const byEpoch: Event[] = [];
    const run = train(options([1, 1, 1], { hooks: [earlyStopping({ on: 'epoch', patience: 1 })] }));
    for await (const event of run.events) byEpoch.push(event);
    free(await run.result);
    expect(byEpoch.at(-1)).toMatchObject({ type: 'end', reason: 'finished' }); // the loss falls by 1 each epoch
  });
});
