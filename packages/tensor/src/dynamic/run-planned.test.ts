import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { meter } from '../meter/index.ts';
import type { Context, Module } from '../seams/index.ts';
import { createState } from '../state.ts';
import { findPlan, PlanNeeded, withPlans } from './plans.ts';
import { makePlans, runPlanned } from './run-planned.ts';

/** Doubles the rows whose sum is above a bound, a matmul before each decision; remembers how often it ran. */
const layer = (name: string): Module<tf.Tensor2D> => ({
  init: () => tf.eye(3),
  apply: (w, x, ctx) =>
    tf.tidy(() => {
      const h = tf.matMul(x as tf.Tensor2D, w);
      const runs = ctx?.state?.get('runs');
      if (runs !== undefined) ctx?.state?.set('runs', tf.add(runs, 1));
      const { plan, planning } = findPlan({ ...ctx!, path: name });
      if (plan === undefined) {
        if (!planning) throw new Error(`no plan for ${name}`);
        throw new PlanNeeded({
          path: name,
          scores: tf.keep(tf.sum(h, 1)),
          plan: (scores, knobs) => Array.from(scores, (s) => (s > (knobs as { bound: number }).bound ? 2 : 1)),
          spent: (factors) => (factors as number[]).map((f) => (f === 2 ? 3 : 0)),
        });
      }
      const factors = plan as number[];
      return tf.mul(h, tf.tensor2d(factors, [factors.length, 1]));
    }),
});

const [first, second] = [layer('a'), layer('b')];
const model: Module<tf.Tensor2D> = {
  init: () => tf.eye(3),
  apply: (w, x, ctx) => tf.tidy(() => second.apply(w, first.apply(w, x, ctx), ctx)),
};

describeEachBackend('a model whose layers plan', () => {
  it('computes every kernel once, however often it stops', async () => {
    await expectNoLeak(async () => {
      const w = tf.eye(3) as tf.Tensor2D;
      const x = tf.tensor2d([1, 1, 1, 0, 0, 0], [2, 3]);
      const knobs = () => ({ bound: 2 });
      const { result, kernels } = await meter(() => runPlanned(model, w, x, { knobs }));
      expect(kernels.find(({ kernel }) => kernel === 'BatchMatMul')!.calls).toBe(2);
      await expectClose(result.output, [4, 4, 4, 0, 0, 0]);
      expect([...result.plans]).toEqual([
        ['a', [2, 1]],
        ['b', [2, 1]],
      ]);
      const plans = await makePlans(model, w, x, { knobs });
      const y = model.apply(w, x, withPlans(plans));
      await expectClose(y, [4, 4, 4, 0, 0, 0]);
      tf.dispose([w, x, y, result.output]);
    });
  });

  it('charges what an example chose to it, and all that the meter counted to somebody', async () => {
    const w = tf.eye(3) as tf.Tensor2D;
    const x = tf.tensor2d([1, 1, 1, 0, 0, 0], [2, 3]);
    const { result, flops } = await meter(() => runPlanned(model, w, x, { knobs: () => ({ bound: 2 }) }));
    expect(result.cost[0]! + result.cost[1]!).toBeCloseTo(flops, 6);
    expect(result.cost[0]! - result.cost[1]!).toBeCloseTo(6, 6);
    tf.dispose([w, x, result.output]);
  });

  it('moves a state on once, and not at all where it fails', async () => {
    await expectNoLeak(async () => {
      const w = tf.eye(3) as tf.Tensor2D;
      const x = tf.ones([2, 3]);
      const zero = tf.scalar(0);
      const state = createState({ runs: zero });
      const ctx: Context = { train: false, state };
      const { output } = await runPlanned(model, w, x, { ctx, knobs: () => ({ bound: 2 }) });
      expect(Array.from(await state.get('runs')!.data())).toEqual([2]);
      const broken: Module<tf.Tensor2D> = {
        init: model.init,
        apply(w, x, ctx) {
          model.apply(w, x, ctx);
          throw new Error('broken');
        },
      };
      await expect(runPlanned(broken, w, x, { ctx, knobs: () => ({ bound: 2 }) })).rejects.toThrow('broken');
      expect(Array.from(await state.get('runs')!.data())).toEqual([2]);
      state.dispose();
      tf.dispose([w, x, output, zero]);
    });
  });
});
