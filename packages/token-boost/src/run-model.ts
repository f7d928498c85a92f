import {
  type Context,
  calibratePlans,
  type Dataset,
  type DynamicRun,
  type Labelled,
  type Module,
  makePlans,
  type Plans,
  runPlanned,
  type Staged,
  type Tree,
} from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { CountOptions } from './gate.ts';
import type { BoostPlan } from './plan.ts';

/** Options of `planModel` and `runModel`. */
export interface RunModelOptions extends CountOptions {
  /** The context that the model will be applied under. Default inference. */
  readonly ctx?: Context | undefined;
}

/** What `runModel` gives: the cost is per example, the plans are by the layers' paths. */
export interface ModelRun extends DynamicRun {
  readonly plans: Plans<BoostPlan>;
}

/**
 * Inference through a whole model with boosted layers; `cost` is FLOPs per example, as the meter counted them.
 *
 * Each gate is read once and decides on the host; learners are charged to the examples whose tokens got them, everything else evenly.
 *
 * @param x [B, …].
 */
export async function runModel<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: Tensor,
  { ctx, ...knobs }: RunModelOptions = {},
): Promise<ModelRun> {
  return (await runPlanned(model, params, x, { ctx, knobs: () => knobs })) as ModelRun;
}

/** The plans of all boosted layers for one batch, by path: `model.apply(params, x, withPlans(plans))` then needs no gate. */
export async function planModel<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: Tensor,
  { ctx, ...knobs }: RunModelOptions = {},
): Promise<Plans<BoostPlan>> {
  return (await makePlans(model, params, x, { ctx, knobs: () => knobs })) as Plans<BoostPlan>;
}

/** Options of `calibrateBudget`. */
export interface CalibrateBudgetOptions {
  /** Relative error of the cost on the data that is good enough. Default 0.005. */
  readonly tolerance?: number;
}

/** Steep enough for gates that are almost sure: from −400 to 400. */
const tiltOf = (value: number): number => Math.sign(value) * (Math.exp(6 * Math.abs(value)) - 1);

/**
 * The tilt at which an example costs `flops` on average, for `runModel(model, params, x, { tilt })`.
 *
 * @param data Examples that the budget should hold on, ten thousand or more for 3 %; the labels are not read.
 * @param flops Mean FLOPs per example, gates and everything else included.
 * @returns The tilt, and the cost measured with it on the data.
 * @throws {FrugalError} `BAD_BUDGET` if no tilt costs that; says the range.
 */
export async function calibrateBudget<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  data: Dataset<Labelled>,
  flops: number,
  options: CalibrateBudgetOptions = {},
): Promise<{ readonly tilt: number; readonly cost: number }> {
  const { knob, cost } = await calibratePlans(model, params, data, flops, {
    ...options,
    low: -1,
    high: 1,
    knobs: (value) => ({ tilt: tiltOf(value) }),
  });
  return { tilt: tiltOf(knob), cost };
}
