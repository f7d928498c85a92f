import { type Dataset, key, type Labelled, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { examples, smallModel } from './fixture.ts';
import {
  exitsOf,
  geometricEnsemble,
  headReports,
  margin,
  outcomeOf,
  recordExits,
  runExits,
  scoreTable,
} from './index.ts';

const batches: Dataset<Labelled> = {
  ...{ size: 50, batchSize: 25, batchesPerEpoch: 2 },
  async *batches() {
    for (const seed of [1, 2])
      yield {
        x: examples(25, seed),
        y: tf.tensor1d(
          Array.from({ length: 25 }, (_, i) => i % 3),
          'int32',
        ),
      };
  },
};

describeEachBackend('recordExits', () => {
  it.each([margin([0.5, 0.4, 0.3]), geometricEnsemble([0.7, 0.6, 0.5])])(
    'foresees what a run with $name does',
    async (policy) => {
      await expectNoLeak(async () => {
        const model = smallModel();
        const params = model.init(key(4));
        const table = await recordExits(model, params, batches);
        expect([table.size, table.classes]).toEqual([50, 3]);
        const scored = scoreTable(table, policy);
        const exits = exitsOf(scored, policy.thresholds);
        const { accuracy, cost } = outcomeOf(scored, exits);

        const left: number[] = [];
        let spent = 0;
        let right = 0;
        for await (const { x, y } of batches.batches({ key: key(0), epoch: 0 })) {
          const run = await runExits(model, params, x, { policy });
          const answers = tf.argMax(run.output, 1);
          const [said, labels] = [await answers.data(), await y.data()];
          right += said.filter((answer, i) => answer === labels[i]).length;
          left.push(...run.exits);
          spent += run.cost.reduce((a, b) => a + b, 0);
          tf.dispose([x, y, run.output, answers]);
        }
        expect(left).toEqual([...exits]);
        expect(spent / 50).toBeCloseTo(cost, 3);
        expect(right / 50).toBeCloseTo(accuracy, 6);
        treeDispose(params);
      });
    },
  );

  it('reports on every head', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(4));
      const table = await recordExits(model, params, batches);
      const reports = headReports(table, margin([0.5, 0.4, 0.3]));
      expect(reports).toHaveLength(4);
      expect(reports.reduce((sum, { leaving }) => sum + leaving!, 0)).toBeCloseTo(1, 6);
      expect(headReports(table)[0]!.leaving).toBeUndefined();
      for (const { accuracy, ece, auroc, cost } of reports) {
        for (const share of [accuracy, ece, auroc]) expect(share >= 0 && share <= 1).toBe(true);
        expect(cost).toBeGreaterThan(0);
      }
      treeDispose(params);
    });
  });
});
