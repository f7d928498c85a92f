import { type Context, createMeter, type DynamicRun, type Module, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { DispatchPlan } from './plan.ts';
import { PlanNeeded, type Plans, whileRouting } from './plans.ts';

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

type Step = (x: tf.Tensor, ctx: Context) => tf.Tensor;

/** The stages of a model, or the whole of it. */
function steps<P extends Tree>(model: Module<P> | Staged<P>, params: P): Step[] {
  if (!('stages' in model)) return [(x, ctx) => model.apply(params, x, ctx)];
  return model.stages.map(
    (stage): Step =>
      (x, ctx) =>
        stage.apply(params, x, ctx),
  );
}

/** What was learnt about the layers so far, by path. */
interface Routed {
  readonly plans: Map<string, DispatchPlan>;
  readonly pairFlops: Map<string, number>;
}

/** Runs a step again and again until all layers in it have their plans. */
async function throughStep(step: Step, x: tf.Tensor, routed: Routed, options: RouteModelOptions): Promise<tf.Tensor> {
  for (;;) {
    try {
      return tf.tidy(() => step(x, whileRouting(routed.plans, options.ctx)));
    } catch (error) {
      if (!(error instanceof PlanNeeded)) throw error;
      const { path, logits, plan, pairFlops } = error.request;
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      routed.pairFlops.set(path, pairFlops);
      routed.plans.set(path, plan(values, { bias: options.bias?.[path], tau: options.tau }));
    }
  }
}

async function fold<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: tf.Tensor,
  options: RouteModelOptions,
  around: (step: Step) => Step,
): Promise<Routed & { output: tf.Tensor }> {
  const routed: Routed = { plans: new Map(), pairFlops: new Map() };
  let h = x;
  try {
    for (const step of steps(model, params)) {
      const next = await throughStep(around(step), h, routed, options);
      if (h !== x) h.dispose();
      h = next;
    }
  } catch (error) {
    if (h !== x) h.dispose();
    throw error;
  }
  return { output: h === x ? x.clone() : h, ...routed };
}

/**
 * Routes all layers of a model for one batch, so that training can be synchronous:
 *
 *     const plans = await routeModel(model, params, x, { ctx });
 *     const [loss, grads] = valueAndGrad((p) => loss(model.apply(p, x, withPlans(plans, ctx))))(params);
 *
 * A layer that has no plan stops the pass, its logits are awaited, and the pass starts again: in a `Staged` model from
 * the stage it stands in. Costs one forward pass, and what stands before a layer in its stage once more.
 *
 * @returns The plans by path.
 */
export async function routeModel<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: tf.Tensor,
  options: RouteModelOptions = {},
): Promise<Plans> {
  const { output, plans } = await fold(model, params, x, options, (step) => step);
  output.dispose();
  return plans;
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
  x: tf.Tensor,
  options: RouteModelOptions = {},
): Promise<ModelRun> {
  const meter = createMeter();
  const { output, plans, pairFlops } = await fold(
    model,
    params,
    x,
    options,
    (step) => (h, ctx) => meter.run(() => step(h, ctx)),
  );
  const examples = x.shape[0]!;
  const own = new Array<number>(examples).fill(0);
  let charged = 0;
  for (const [path, plan] of plans) {
    const pair = pairFlops.get(path)!;
    const perExample = plan.tokens / examples;
    for (const token of plan.rows) own[Math.floor(token / perExample)]! += pair;
    charged += pair * plan.rows.length;
  }
  const rest = (meter.read().flops - charged) / examples;
  return { output, plans, cost: own.map((flops) => flops + rest) };
}
