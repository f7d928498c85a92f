import { type Context, FrugalError } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { DispatchPlan } from './plan.ts';
import type { SelectOptions } from './router.ts';

/** The plans of all layers of a model, by path (`''` for a layer that stands alone). */
export type Plans = ReadonlyMap<string, DispatchPlan>;

/** How a layer says that it cannot go on without a plan; whoever routes reads the logits and comes back with one. */
export interface PlanRequest {
  readonly path: string;
  /** Kept; the receiver disposes it. */
  readonly logits: Tensor;
  /** FLOPs of one pair, with adding it to its token. */
  readonly pairFlops: number;
  plan(logits: Float32Array, options: SelectOptions): DispatchPlan;
}

/** Thrown by a layer without a plan while somebody routes; a `PlanNeeded` that reaches you is a bug. */
export class PlanNeeded extends FrugalError {
  readonly request: PlanRequest;

  constructor(request: PlanRequest) {
    super('PLAN_NEEDED', `The layer at '${request.path}' needs a plan.`);
    this.request = request;
  }
}

interface PlannedContext extends Context {
  readonly plans?: Plans;
  readonly routing?: boolean;
}

const inference: Context = { train: false };

/**
 * A context under which the layers of a model find their plans: `model.apply(params, x, withPlans(plans, ctx))`.
 *
 * Plans are data: inside of it everything is synchronous and differentiable.
 */
export function withPlans(plans: Plans, ctx: Context = inference): Context {
  const planned: PlannedContext = { ...ctx, plans };
  return planned;
}

/** The same, where a missing plan is asked for by throwing `PlanNeeded`. */
export function whileRouting(plans: Plans, ctx: Context = inference): Context {
  const planned: PlannedContext = { ...ctx, plans, routing: true };
  return planned;
}

/** The plan for this place, and whether a missing one may be asked for. */
export function findPlan(ctx: Context | undefined): { plan: DispatchPlan | undefined; routing: boolean } {
  const { plans, routing = false, path = '' } = (ctx ?? inference) as PlannedContext;
  return { plan: plans?.get(path), routing };
}
