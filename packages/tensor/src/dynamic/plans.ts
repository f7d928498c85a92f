import type { Tensor } from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Context } from '../seams/index.ts';

/** What the layers of a model decided on the host (who computes what), by their paths; `''` for a layer that stands alone. */
export type Plans<D = unknown> = ReadonlyMap<string, D>;

/** How a layer says that it cannot go on without a plan; whoever plans reads the scores and comes back with one. */
export interface PlanRequest {
  readonly path: string;
  /** What the plan is made from. Kept; the receiver disposes it. */
  readonly scores: Tensor;
  /** The plan; `knobs` are those of whoever runs the model, and a layer reads the ones that it knows. */
  plan(scores: Float32Array, knobs: object): unknown;
  /** FLOPs that each token spends under a plan on what it does not share with all others. */
  spent(plan: unknown): ArrayLike<number>;
}

/** Thrown by a layer without a plan while somebody plans; one that reaches you is a bug. */
export class PlanNeeded extends FrugalError {
  readonly request: PlanRequest;

  constructor(request: PlanRequest) {
    super('PLAN_NEEDED', `The layer at '${request.path}' needs a plan.`);
    this.request = request;
  }
}

interface PlannedContext extends Context {
  readonly plans?: Plans;
  readonly planning?: boolean;
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
export function whilePlanning(plans: Plans, ctx: Context = inference): Context {
  const planned: PlannedContext = { ...ctx, plans, planning: true };
  return planned;
}

/** The plan for this place, if there is one, and whether a missing one may be asked for by throwing `PlanNeeded`. */
export function findPlan(ctx: Context | undefined): { readonly plan: unknown; readonly planning: boolean } {
  const { plans, planning = false, path = '' } = (ctx ?? inference) as PlannedContext;
  return { plan: plans?.get(path), planning };
}
