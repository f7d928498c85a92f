import { dense, relu, residual, sequential } from '@frugal/nn';
import { type Dataset, foldIn, key, type Labelled, randomNormal } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { tokenBoost } from './boost.ts';
import { mlpGate } from './gate.ts';
import { calibrateBudget, runModel } from './run-model.ts';

/** Examples whose gates differ: normal numbers. */
const examples = (seed: number, size: number): Dataset<Labelled> => ({
  size,
  batchSize: 2000,
  batchesPerEpoch: size / 2000,
  async *batches() {
    for (let i = 0; i < size / 2000; i++) {
      yield { x: randomNormal(foldIn(key(seed), i), [2000, 4], { sd: 3 }), y: tf.zeros([2000], 'int32') };
    }
  },
});

const layer = () => residual(tokenBoost(mlpGate(4, 3), 4, 8, { activation: 'relu' }));
const model = sequential({ first: layer(), act: relu(), second: layer(), head: dense(4, 2) });

describeEachBackend('calibrateBudget', () => {
  it('meets budgets of 0.3 to 0.7 of the full cost within 3 % on fresh examples', async () => {
    await expectNoLeak(async () => {
      const params = model.init(key(1));
      const x = randomNormal(key(2), [4, 4]);
      const full = await runModel(model, params, x, { count: 3 });
      tf.dispose([x, full.output]);
      // Plain cpu is slow: fewer examples, and what fewer examples can promise.
      const few = tf.getBackend() === 'cpu';
      const [size, within] = few ? [2000, 0.06] : [10_000, 0.03];
      for (const share of few ? [0.5] : [0.3, 0.5, 0.7]) {
        const flops = share * full.cost[0]!;
        const { tilt, cost } = await calibrateBudget(model, params, examples(5, size), flops);
        expect(Math.abs(cost / flops - 1)).toBeLessThan(0.005);
        let sum = 0;
        for await (const batch of examples(6, size).batches({ key: key(0), epoch: 0 })) {
          const run = await runModel(model, params, batch.x, { tilt });
          sum += run.cost.reduce((a, b) => a + b, 0);
          tf.dispose([batch.x, batch.y, run.output]);
        }
        expect(Math.abs(sum / size / flops - 1)).toBeLessThan(within);
      }
      await expect(calibrateBudget(model, params, examples(5, 2000), full.cost[0]! * 2)).rejects.toThrow(/must lie in/);
      tf.dispose(params as tf.TensorContainer);
    });
  });
});
