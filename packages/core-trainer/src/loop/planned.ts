import { type Context, type Plans, type Tree, withPlans } from '@frugal/tensor';
import { disposeBatch } from '../data/batch.ts';
import type { Task } from './task.ts';

/** Decides on the host who computes what in a batch: mostly `makePlans(model, params, x, { ctx })`. */
export type Planner<P extends Tree, B> = (params: P, batch: B, ctx: Context) => Promise<Plans>;

interface Planned {
  readonly batch: unknown;
  readonly plans: Plans;
}

/** The same task, where plans are awaited before a batch is learned from and layers find them through the context. */
export function planned<P extends Tree, B>(task: Task<P, B>, plan: Planner<P, never>): Task<P, B> {
  return {
    ...task,
    async plan(params, batch, ctx) {
      try {
        return { batch, plans: await plan(params, batch as never, ctx) } satisfies Planned;
      } catch (error) {
        disposeBatch(batch);
        throw error;
      }
    },
    loss(params, examples, ctx) {
      const { batch, plans } = examples as Planned;
      return task.loss(params, batch, withPlans(plans, ctx));
    },
    measure(params, examples, ctx) {
      const { batch, plans } = examples as Planned;
      return task.measure(params, batch, withPlans(plans, ctx));
    },
  };
}
