import * as tf from '@tensorflow/tfjs-core';
import { createMeter, type Meter } from '../meter/index.ts';
import type { Context, DynamicRun, Module, Staged, Tree } from '../seams/index.ts';
import { PlanNeeded, type PlanRequest, type Plans, whilePlanning } from './plans.ts';
import { createReplay, pendingState } from './replay.ts';

/** Options of `makePlans` and `runPlanned`. */
export interface PlanOptions {
  /** The context that the model will be applied under. Default inference. */
  readonly ctx?: Context | undefined;
  /** What the layer at a path is told when it plans: `tau`, `tilt`, … Default nothing. */
  readonly knobs?: ((path: string) => object) | undefined;
}

/** A run of a model whose layers plan. */
export interface PlannedRun extends DynamicRun {
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
interface Planned {
  readonly plans: Map<string, unknown>;
  readonly requests: Map<string, PlanRequest>;
}

/** Runs a step again and again, each time a layer further, until all layers in it have their plans. */
async function throughStep(step: Step, x: tf.Tensor, planned: Planned, options: PlanOptions, meter?: Meter) {
  const replay = createReplay();
  try {
    for (;;) {
      const state = options.ctx?.state && pendingState(options.ctx.state);
      const ctx = { ...(options.ctx ?? { train: false }), ...(state && { state }) };
      const attempt = (): tf.Tensor => tf.tidy(() => replay.attempt(() => step(x, whilePlanning(planned.plans, ctx))));
      try {
        const y = meter === undefined ? attempt() : meter.run(attempt);
        state?.commit();
        return y;
      } catch (error) {
        state?.discard();
        if (!(error instanceof PlanNeeded)) throw error;
        const { request } = error;
        const scores = (await request.scores.data()) as Float32Array;
        request.scores.dispose();
        planned.requests.set(request.path, request);
        planned.plans.set(request.path, request.plan(scores, options.knobs?.(request.path) ?? {}));
      }
    }
  } finally {
    replay.dispose();
  }
}

async function fold<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: tf.Tensor,
  options: PlanOptions,
  meter?: Meter,
): Promise<Planned & { output: tf.Tensor }> {
  const planned: Planned = { plans: new Map(), requests: new Map() };
  let h = x;
  try {
    for (const step of steps(model, params)) {
      const next = await throughStep(step, h, planned, options, meter);
      if (h !== x) h.dispose();
      h = next;
    }
  } catch (error) {
    if (h !== x) h.dispose();
    throw error;
  }
  return { output: h === x ? x.clone() : h, ...planned };
}

/**
 * Makes the plans of all layers of a model for one batch, so that training can be synchronous:
 *
 *     const plans = await makePlans(model, params, x, { ctx });
 *     const [loss, grads] = valueAndGrad((p) => loss(model.apply(p, x, withPlans(plans, ctx))))(params);
 *
 * A layer without a plan stops the pass, its scores are awaited (one read a layer), and the pass goes on from there:
 * what ran already is not computed again. Costs one forward pass.
 *
 * @returns The plans by path.
 */
export async function makePlans<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: tf.Tensor,
  options: PlanOptions = {},
): Promise<Plans> {
  const { output, plans } = await fold(model, params, x, options);
  output.dispose();
  return plans;
}

/**
 * Inference through a whole model: plans and computes in one go; `cost` is FLOPs per example, as the meter counted them.
 *
 * What was spent on what a token chose is charged to its example, everything else evenly. An open cache in `ctx.state`
 * moves on by this batch once.
 *
 * @param x [B, …]; the tokens of a layer belong to examples in equal runs.
 */
export async function runPlanned<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  x: tf.Tensor,
  options: PlanOptions = {},
): Promise<PlannedRun> {
  const meter = createMeter();
  const { output, plans, requests } = await fold(model, params, x, options, meter);
  const examples = x.shape[0]!;
  const cost = new Array<number>(examples).fill(0);
  let charged = 0;
  for (const [path, request] of requests) {
    const spent = request.spent(plans.get(path));
    const perExample = spent.length / examples;
    for (let token = 0; token < spent.length; token++) {
      const example = Math.floor(token / perExample);
      cost[example] = cost[example]! + spent[token]!;
      charged += spent[token]!;
    }
  }
  const rest = (meter.read().flops - charged) / examples;
  return { output, plans, cost: cost.map((flops) => flops + rest) };
}
