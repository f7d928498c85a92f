import { createMeter, findPlan, key, type Module, makePlans, PlanNeeded, type Tree, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { evaluate, fromArrays, type Objective, regression, sgd, type TrainObjectiveOptions, train } from '../index.ts';

/** y = w·x, where rows that the host chose by their score count twice. */
const model: Module<{ w: tf.Tensor2D }> = {
  init: () => ({ w: tf.fill([2, 1], 0.5) }),
  apply: ({ w }, x, ctx) =>
    tf.tidy(() => {
      const h = tf.matMul(x as tf.Tensor2D, w);
      const { plan, planning } = findPlan(ctx);
      if (plan === undefined) {
        if (!planning) throw new Error('There is no plan.');
        throw new PlanNeeded({
          path: '',
          scores: tf.keep(tf.reshape(h, [-1])),
          plan: (scores) => Array.from(scores, (score) => (score > 0 ? 2 : 1)),
          spent: (factors) => factors as number[],
        });
      }
      const factors = plan as number[];
      return tf.mul(h, tf.tensor2d(factors, [factors.length, 1]));
    }),
};

// What w = [1, −1] gives.
const x = [
  [1, 0],
  [0, -1],
  [2, 1],
  [-1, 1],
];
const data = fromArrays({ x, y: [[2], [2], [2], [-2]] }, { batchSize: 2 });
type Batch = { x: tf.Tensor; y: tf.Tensor };
const objective = regression() as unknown as Objective<Batch>;

const options: TrainObjectiveOptions<{ w: tf.Tensor2D }, Batch> = {
  model,
  objective,
  optimizer: sgd(0.05),
  data,
  key: key(3),
  epochs: 30,
  evaluate: data,
  plan: (params, { x }, ctx) => makePlans(model, params, x, { ctx }),
};

describeEachBackend('train with plans', () => {
  it.each([1, 4])('awaits the plan of each batch, losses read every %i steps', async (readEvery) => {
    await expectNoLeak(async () => {
      const meter = createMeter();
      const run = train({ ...options, readEvery, meter });
      const losses: number[] = [];
      for await (const event of run.events) if (event.type === 'epoch') losses.push(event.loss);
      const { params, optimizer, state, metrics } = await run.result;
      expect(losses.at(-1)!).toBeLessThan(losses[0]! / 2);
      const { loss } = await evaluate({ model, objective, params, data, plan: options.plan! });
      expect(metrics['loss']).toBeCloseTo(loss!, 6);
      expect(metrics['flops']).toBeGreaterThan(0);
      treeDispose([params, optimizer, state] as Tree);
    });
  });

  it('frees the batch when planning fails', async () => {
    await expectNoLeak(async () => {
      const plan = async () => {
        throw new Error('no idea');
      };
      await expect(train({ ...options, plan }).result).rejects.toThrow('no idea');
    });
  });
});
