import { type Plans as AnyPlans, type Context, findPlan as find } from '@frugal/tensor';
import type { DispatchPlan } from './plan.ts';

/** The plans of all layers of a model, by path (`''` for a layer that stands alone). */
export type Plans = AnyPlans<DispatchPlan>;

/** The plan for this place, and whether a missing one may be asked for. */
export function findPlan(ctx: Context | undefined): { plan: DispatchPlan | undefined; planning: boolean } {
  const { plan, planning } = find(ctx);
  return { plan: plan as DispatchPlan | undefined, planning };
}
