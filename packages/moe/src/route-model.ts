import {
  type Context,
  calibratePlans,
  type Dataset,
  type DynamicRun,
  type Labelled,
  type Module,
  makePlans,
  type PlanOptions,
  runPlanned,
  type Staged,
  type Tree,
} from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Plans } from './plans.ts';

/** Options of `routeModel` and `runModel`. */
export interface RouteModelOptions {
  /** The context that the model will be applied under. Default inference. */
  readonly ctx?: Context | undefined;
  /** The balancing bias of each layer, by path. */
  readonly bias?: Readonly<Record<string, ArrayLike<number>>> | undefined;
  /** The budget knob, for all layers. */
  readonly tau?: number | undefined;
}

/** What `runModel` gives: the cost is per example. */
export interface ModelRun extends DynamicRun {
  readonly plans: Plans;
}

const planOptions = ({ ctx, bias, tau }: RouteModelOptions): PlanOptions => ({
  ctx,
  knobs: (path) => ({ bias: bias?.[path], tau }),
});

/**
 * Routes all layers of a model for one batch, so that training can be synchronous:
 *
 *     const plans = await routeModel(model, params, x, { ctx });
 *     const [loss, grads] = valueAndGrad((p) => loss(model.apply(p, x, withPlans(plans, ctx))))(params);
 *
 * A layer without a plan stops the pass, its logits are awaited, and the pass goes on from there. Costs one forward pass.
 *
 * @returns The plans by path.
 */
export async function routeModel<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: Tensor,
  options: RouteModelOptions = {},
): Promise<Plans> {
  return (await makePlans(model, params, x, planOptions(options))) as Plans;
}

/**
 * Inference through a whole model: routes and computes in one go; `cost` is FLOPs per example, as the meter counted them.
 *
 * What was spent on chosen experts is charged to the examples whose tokens chose them, everything else evenly.
 *
 * @param x [B, …]; the tokens of a layer belong to examples in equal runs.
 */
export async function runModel<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: Tensor,
  options: RouteModelOptions = {},
): Promise<ModelRun> {
  return (await runPlanned(model, params, x, planOptions(options))) as ModelRun;
}

/** Options of `calibrateBudget`. */
export interface CalibrateBudgetOptions {
  /** Relative error of the cost on the data that is good enough. Default 0.005. */
  readonly tolerance?: number;
}

/**
 * The τ at which an example costs `flops` on average, for `runModel(model, params, x, { tau })`.
 *
 * @param model With routers that have that knob: `dynamicKRouter`, `normRouter`.
 * @param data Examples that the budget should hold on, ten thousand or more for 3 %; the labels are not read.
 * @param flops Mean FLOPs per example, routers and everything else included.
 * @returns The τ, and the cost measured with it on the data.
 * @throws {FrugalError} `BAD_BUDGET` if no τ costs that; says the range.
 */
export async function calibrateBudget<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  data: Dataset<Labelled>,
  flops: number,
  options: CalibrateBudgetOptions = {},
): Promise<{ readonly tau: number; readonly cost: number }> {
  const { knob, cost } = await calibratePlans(model, params, data, flops, {
    ...options,
    low: 0,
    high: 1,
    knobs: (tau) => ({ tau }),
  });
  return { tau: knob, cost };
}
