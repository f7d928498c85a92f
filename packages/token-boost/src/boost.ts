import {
  type Context,
  type DynamicRun,
  FrugalError,
  findPlan,
  foldIn,
  lessonOf,
  type Module,
  PlanNeeded,
  type Tree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { CountOptions, Gate } from './gate.ts';
import { type Learners, type LearnersParams, stackedLearners } from './learners.ts';
import { teach } from './phases/teach.ts';
import { type BoostPlan, planCounts } from './plan.ts';
import { straightThrough } from './straight-through.ts';

/** Parameters of `tokenBoost`; `bias` [out] is added once, however many learners run. */
export type BoostParams<G extends Tree = Tree> = {
  readonly gate: G;
  readonly learners: LearnersParams;
  readonly bias: tf.Tensor1D;
};

/** Options of `tokenBoost`. */
export interface BoostOptions {
  /** Width of the output. Default `dim`. */
  out?: number;
  /** Default `'gelu'`. */
  activation?: 'relu' | 'gelu';
  /** Of the Gumbel-softmax in training. Default 0.8. */
  temperature?: number;
}

/** What a run of the layer gives: the cost is per token. */
export interface BoostRun extends DynamicRun {
  readonly plan: BoostPlan;
}

/** A choice of a layer in training, as `boostLoss` gets it. */
export interface TrainedChoice {
  /** Of shape [tokens, choices]; one-hot forward, the gradient of the soft choice backward. */
  readonly choice: tf.Tensor;
  readonly gate: Gate;
  /** FLOPs of one learner for one token. */
  readonly flops: number;
}

/** A module of ordered learners that computes as many of them as each token needs. */
export interface BoostLayer<G extends Tree = Tree> extends Module<BoostParams<G>> {
  readonly gate: Gate<G>;
  readonly learners: Learners;
  /** Chooses: one awaited read of the gate's logits. x [T, dim] or [B, T, dim]. */
  plan(params: BoostParams<G>, x: tf.Tensor, options?: CountOptions): Promise<BoostPlan>;
  /**
   * In training all learners, weighed by a sampled choice through which the gradient reaches the gate; at inference, and
   * wherever the context has a plan for this place, the planned ones alone. Synchronous and differentiable.
   *
   * @throws {FrugalError} `NO_PLAN` at inference without a plan, `BAD_PLAN` if it is for another number of tokens.
   */
  apply(params: BoostParams<G>, x: tf.Tensor, ctx?: Context): tf.Tensor;
  /** Inference: chooses and computes; nothing of a learner that no token gets is read. */
  run(params: BoostParams<G>, x: tf.Tensor, options?: CountOptions): Promise<BoostRun>;
  /** FLOPs of each token under a plan, as `run` spends them. */
  cost(plan: BoostPlan): number[];
}

/** Tells `boostLoss` which choices were made; part of the context while it runs. */
export interface ChoiceContext extends Context {
  readonly choices?: (path: string, choice: TrainedChoice) => void;
}

/**
 * Ordered learners whose outputs add up, h(z, k) = s₁(z) + … + s_k(z) + bias, and a gate that picks k for each token
 * (Adaptive Computation Modules, arXiv 2312.10193).
 *
 * [T, dim] → [T, out] or [B, T, dim] → [B, T, out]. A learner is two layers with an activation between them; the first ones
 * do what every token needs. Together they cost what a network of `learners` · `hidden` units costs. With k = 0 the
 * output is the bias: put such a layer under a residual.
 *
 *     const { output, cost } = await layer.run(params, x);               // inference
 *     const y = layer.apply(params, x, { train: true, key });            // training: the task's gradient reaches the gate
 *
 * @param gate Chooses among `gate.min`, …, `gate.learners`.
 * @param dim Width of a token.
 * @param hidden Width of one learner.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function tokenBoost<G extends Tree>(
  gate: Gate<G>,
  dim: number,
  hidden: number,
  options: BoostOptions = {},
): BoostLayer<G> {
  const { out = dim, activation = 'gelu', temperature = 0.8 } = options;
  const learners = stackedLearners({ learners: gate.learners, dim, hidden, out, activation });
  const choices = gate.learners + 1 - gate.min;
  /** Row c: which learners run when choice c was made. */
  const running = Float32Array.from({ length: choices * gate.learners }, (_, i) =>
    Number(i % gate.learners < gate.min + Math.floor(i / gate.learners)),
  );

  const flat = (x: tf.Tensor): tf.Tensor2D => {
    if ((x.rank === 2 || x.rank === 3) && x.shape.at(-1) === dim && x.dtype === 'float32')
      return tf.reshape(x, [x.size / dim, dim]);
    const got = `${x.dtype} [${x.shape}]`;
    throw new FrugalError('BAD_SHAPE', `tokenBoost: x must be float32 [T, ${dim}] or [B, T, ${dim}], got ${got}.`);
  };
  const shaped = (y: tf.Tensor, x: tf.Tensor): tf.Tensor => tf.reshape(y, [...x.shape.slice(0, -1), out]);
  const select = (logits: Float32Array, tokens: number, how: CountOptions): BoostPlan =>
    planCounts(gate.select(logits, tokens, how), gate.learners);
  const planned = (params: BoostParams<G>, tokens: tf.Tensor, plan: BoostPlan): tf.Tensor =>
    learners.planned(params.learners, params.bias, tokens, plan);

  const trained = (params: BoostParams<G>, tokens: tf.Tensor, ctx: Context): tf.Tensor => {
    const logits = gate.logits(params.gate, tokens, ctx);
    const choice = straightThrough(logits, temperature, ctx.key && foldIn(ctx.key, 1));
    (ctx as ChoiceContext).choices?.(ctx.path ?? '', { choice, gate: gate as Gate, flops: learners.flops });
    const shares = tf.matMul(choice as tf.Tensor2D, tf.tensor2d(running, [choices, gate.learners]));
    return tf.add(learners.shared(params.learners, tokens, shares), params.bias);
  };

  const layer: BoostLayer<G> = {
    gate,
    learners,
    init: (key) => ({
      gate: gate.init(foldIn(key, 0)),
      learners: learners.init(foldIn(key, 1)),
      bias: tf.zeros([out]) as tf.Tensor1D,
    }),
    cost: (plan) => Array.from(learners.spent(plan), (spent) => gate.flopsPerToken + spent + out),
    async plan(params, x, options = {}) {
      const logits = tf.tidy(() => gate.logits(params.gate, flat(x)));
      const values = (await logits.data()) as Float32Array;
      logits.dispose();
      return select(values, logits.shape[0]!, options);
    },
    apply: (params, x, ctx) =>
      tf.tidy(() => {
        const tokens = flat(x);
        const taught = lessonOf(ctx);
        if (taught?.lesson.what === 'learners' || taught?.lesson.what === 'gate') {
          return shaped(teach(taught, { gate: gate as Gate, learners, path: ctx?.path ?? '' }, params, tokens), x);
        }
        const found = findPlan(ctx);
        const count = tokens.shape[0];
        if (found.planning) {
          // Also where the plan is known: whoever plans replays what was computed before.
          const logits = gate.logits(params.gate, tokens, ctx);
          if (found.plan === undefined) {
            throw new PlanNeeded({
              path: ctx?.path ?? '',
              scores: tf.keep(logits),
              plan: (values, knobs) => select(values, count, knobs),
              spent: (plan) => learners.spent(plan as BoostPlan),
            });
          }
        }
        if (found.plan === undefined) {
          if (ctx?.train) return shaped(trained(params, tokens, ctx), x);
          throw noPlan(ctx);
        }
        const plan = found.plan as BoostPlan;
        checkPlan(plan, count, gate.learners);
        return shaped(planned(params, tokens, plan), x);
      }),
    async run(params, x, options = {}) {
      const plan = await layer.plan(params, x, options);
      const output = tf.tidy(() => shaped(planned(params, flat(x), plan), x));
      return { output, cost: layer.cost(plan), plan };
    },
  };
  return layer;
}

function noPlan(ctx: Context | undefined): FrugalError {
  const where = ctx?.path ? ` at '${ctx.path}'` : '';
  return new FrugalError(
    'NO_PLAN',
    `tokenBoost${where}: no plan. Use runModel or layer.run at inference, or apply under withPlans, or with { train: true }.`,
  );
}

function checkPlan(plan: BoostPlan, tokens: number, learners: number): void {
  if (plan.tokens === tokens && plan.learners === learners) return;
  const [got, wanted] = [`${plan.tokens} tokens and ${plan.learners} learners`, `${tokens} and ${learners}`];
  throw new FrugalError('BAD_PLAN', `tokenBoost: the plan is for ${got}, the input has ${wanted}. Plan this batch.`);
}
