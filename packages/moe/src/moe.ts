import {
  type Context,
  type DynamicRun,
  FrugalError,
  foldIn,
  lessonOf,
  type Module,
  PlanNeeded,
  prefersStaticShapes,
  type Tree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from './check.ts';
import { teachRouter } from './convert/teach-router.ts';
import { type ExpertKind, type Experts, type ExpertsParams, stackedExperts } from './experts.ts';
import { paddedExperts } from './padded-experts.ts';
import { type Capacity, type DispatchPlan, planDispatch } from './plan.ts';
import { findPlan } from './plans.ts';
import type { Router, SelectOptions } from './router.ts';

/** Parameters of `moe`; `shared` where there are shared experts. */
export type MoeParams<R extends Tree = Tree> = {
  readonly router: R;
  readonly experts: ExpertsParams;
  readonly shared?: ExpertsParams;
  /** Added to every token [out]; `splitFeedForward` makes one. */
  readonly bias?: tf.Tensor1D;
};

/** Options of `moe`. */
export interface MoeOptions {
  /** Default `'gelu'`. */
  kind?: ExpertKind;
  /** Experts that every token goes through (arXiv 2401.06066), run as one of `shared · hidden`. Default 0. */
  shared?: number;
  /** Width of the output. Default `dim`. */
  out?: number;
  /** The largest number of tokens of an expert in training. Default none: dropless. */
  capacity?: Capacity;
  /** The same at inference. Default none. */
  evalCapacity?: Capacity;
  /**
   * Whether every expert computes as many rows, so that shapes do not depend on the choice: the capacity, without one the
   * next power of two of the largest load. Default: where the backend compiles a program for every shape (webgl).
   */
  pad?: boolean;
}

/** Options of `MoeLayer.route` and `MoeLayer.run`. */
export interface RouteOptions extends SelectOptions {
  /** The context that `apply` will get: with noise or jitter its key decides. Default inference. */
  readonly ctx?: Context | undefined;
}

/** What a run of the layer gives: the cost is per token. */
export interface MoeRun extends DynamicRun {
  readonly plan: DispatchPlan;
}

/** A mixture of experts that runs what was chosen. */
export interface MoeLayer<R extends Tree = Tree> extends Module<MoeParams<R>> {
  readonly router: Router<R>;
  readonly experts: Experts;
  /** The shared expert. */
  readonly shared: Experts | undefined;
  /** Chooses: one awaited read of the logits. [T, dim] or [B, T, dim]. */
  route(params: MoeParams<R>, x: tf.Tensor, options?: RouteOptions): Promise<DispatchPlan>;
  /**
   * The output by the plan of this place (`withPlans`); synchronous and differentiable. Taps see `….router`, the logits.
   *
   * @throws {FrugalError} `NO_PLAN` if the context has none, `BAD_PLAN` if it is for another number of tokens.
   */
  apply(params: MoeParams<R>, x: tf.Tensor, ctx?: Context): tf.Tensor;
  /** Inference: routes and computes; nothing of an expert that was not chosen is read. */
  run(params: MoeParams<R>, x: tf.Tensor, options?: RouteOptions): Promise<MoeRun>;
  /** FLOPs of each token under a plan, as `run` spends them without an output bias. */
  cost(plan: DispatchPlan): number[];
  /** Width of a token. */
  readonly dim: number;
}

/**
 * A mixture of experts in the place of a feed-forward network: y = Σ gate(e) · expert(e)(x) (+ shared(x)).
 *
 * [T, dim] → [T, out] or [B, T, dim] → [B, T, out]; all tokens of a call are routed together.
 *
 *     const plan = await layer.route(params, x);                              // on the host, outside of the gradient
 *     const y = layer.apply(params, x, withPlans(new Map([['', plan]])));     // synchronous, differentiable
 *     const { output, cost } = await layer.run(params, x);                    // both, for inference
 *
 * @param router Chooses; its width decides nothing here, its number of experts does.
 * @param dim Width of a token.
 * @param hidden Width of one expert.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function moe<R extends Tree>(
  router: Router<R>,
  dim: number,
  hidden: number,
  options: MoeOptions = {},
): MoeLayer<R> {
  const { kind = 'gelu', shared = 0, out = dim } = options;
  checkNumber('moe: shared', shared, { min: 0, integer: true });
  const experts = stackedExperts(router.experts, dim, hidden, kind, out);
  return moeOf(router, experts, {
    ...options,
    ...(shared > 0 && { always: stackedExperts(1, dim, shared * hidden, kind, out) }),
  });
}

/** The layer for experts of any kind. */
export function moeOf<R extends Tree>(
  router: Router<R>,
  experts: Experts,
  options: Pick<MoeOptions, 'capacity' | 'evalCapacity' | 'pad'> & { always?: Experts } = {},
): MoeLayer<R> {
  const { always } = options;
  const { dim, out } = experts;
  const pair = experts.flopsPerPair + 2 * out;
  const shaped = (y: tf.Tensor, x: tf.Tensor): tf.Tensor => tf.reshape(y, [...x.shape.slice(0, -1), out]);
  const flat = (x: tf.Tensor): tf.Tensor => {
    if ((x.rank === 2 || x.rank === 3) && x.shape.at(-1) === dim && x.dtype === 'float32')
      return tf.reshape(x, [-1, dim]);
    throw new FrugalError(
      'BAD_SHAPE',
      `moe: x must be float32 [T, ${dim}] or [B, T, ${dim}], got ${x.dtype} [${x.shape}].`,
    );
  };
  const plan = (logits: Float32Array, tokens: number, train: boolean, select: SelectOptions): DispatchPlan => {
    const capacity = train ? options.capacity : options.evalCapacity;
    const pad = options.pad ?? prefersStaticShapes();
    return planDispatch(router.select(logits, tokens, select), { tokens, experts: router.experts, capacity, pad });
  };
  const compute = (
    params: MoeParams<R>,
    x: tf.Tensor,
    plan: DispatchPlan,
    gates: Float32Array | tf.Tensor | undefined,
  ): tf.Tensor => {
    const sum =
      plan.rowsPerExpert === undefined
        ? experts.apply(params.experts, x, plan, gates)
        : paddedExperts(experts, params.experts, x, plan, gates);
    const chosen = params.bias === undefined ? sum : tf.add(sum, params.bias);
    if (always === undefined) return chosen;
    return tf.add(chosen, always.apply(params.shared!, x, { tokens: plan.tokens, ends: [plan.tokens] }));
  };
  const cost = (plan: DispatchPlan): number[] => {
    const idle = plan.rowsPerExpert === undefined ? 0 : plan.rowsPerExpert * plan.experts - plan.rows.length;
    const padding = (idle * experts.flopsPerPair) / Math.max(1, plan.tokens);
    const fixed = router.flopsPerToken + padding + (always === undefined ? 0 : always.flopsPerPair + out);
    const spent = new Array<number>(plan.tokens).fill(fixed);
    for (const token of plan.rows) spent[token]! += pair;
    return spent;
  };

  const layer: MoeLayer<R> = {
    router,
    experts,
    shared: always,
    dim,
    cost,
    init: (key) => ({
      router: router.init(foldIn(key, 0)),
      experts: experts.init(foldIn(key, 1)),
      ...(always !== undefined && { shared: always.init(foldIn(key, 2)) }),
    }),
    async route(params, x, { ctx, ...select } = {}) {
      const logits = tf.tidy(() => router.logits(params.router, flat(x), ctx));
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      return plan(values, logits.shape[0]!, ctx?.train ?? false, select);
    },
    apply: (params, x, ctx) =>
      tf.tidy(() => {
        const tokens = flat(x);
        const taught = lessonOf(ctx);
        if (taught?.lesson.what === 'router') return shaped(teachRouter(taught, layer, params, tokens), x);
        const found = findPlan(ctx);
        if (found.plan === undefined && !found.planning) throw noPlan(ctx);
        const logits = router.logits(params.router, tokens, ctx);
        const count = tokens.shape[0]!;
        if (found.plan === undefined) {
          throw new PlanNeeded({
            path: ctx?.path ?? '',
            scores: tf.keep(logits),
            plan: (values, select) => plan(values, count, ctx?.train ?? false, select),
            spent: (plan) => pairsOf(plan as DispatchPlan).map((pairs) => pairs * pair),
          });
        }
        checkPlan(found.plan, count, router.experts);
        ctx?.taps?.set(ctx.path ? `${ctx.path}.router` : 'router', logits);
        // Gates as a tensor even where no tape is open: forward mode differentiates what runs, and host numbers are constants.
        return shaped(compute(params, tokens, found.plan, router.gates(logits, found.plan)), x);
      }),
    async run(params, x, options = {}) {
      const plan = await layer.route(params, x, options);
      const extra = params.bias === undefined ? 0 : out;
      const output = tf.tidy(() => shaped(compute(params, flat(x), plan, plan.gates), x));
      return { output, cost: cost(plan).map((flops) => flops + extra), plan };
    },
  };
  return layer;
}

/** How many pairs of a plan each token has. */
function pairsOf({ tokens, rows }: DispatchPlan): Float64Array {
  const pairs = new Float64Array(tokens);
  for (const token of rows) pairs[token]!++;
  return pairs;
}

function noPlan(ctx: Context | undefined): FrugalError {
  const where = ctx?.path ? ` at '${ctx.path}'` : '';
  return new FrugalError(
    'NO_PLAN',
    `moe${where}: no plan. Route first (layer.route, routeModel) and apply under withPlans, or use layer.run.`,
  );
}

function checkPlan(plan: DispatchPlan, tokens: number, experts: number): void {
  if (plan.tokens === tokens && plan.experts === experts) return;
  const [got, wanted] = [`${plan.tokens} tokens and ${plan.experts} experts`, `${tokens} and ${experts}`];
  throw new FrugalError('BAD_PLAN', `moe: the plan is for ${got}, the input has ${wanted}. Route this batch.`);
}
