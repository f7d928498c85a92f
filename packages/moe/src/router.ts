import type { Context, Key, Tree } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { DispatchPlan } from './plan.ts';

/** What a router may be told when it chooses. */
export interface SelectOptions {
  /** Added to the scores of each expert in the choice only, never in the gates [experts]; `biasBalancer` moves it. */
  readonly bias?: ArrayLike<number> | undefined;
  /** The budget knob of routers that have one (`dynamicKRouter`); others ignore it. */
  readonly tau?: number | undefined;
}

/** Who computes what: pairs of a token and an expert. */
export interface Selection {
  /** token · experts + expert of each pair, ascending, each at most once. */
  readonly slots: Int32Array;
  /** The factor of the expert's output for each pair; equal to what `gates` computes on the device. */
  readonly gates: Float32Array;
}

/**
 * Decides which experts compute a token, and how much each counts.
 *
 * The choice is made on the host from one awaited read of the logits, and reaches the differentiable part as data.
 * Run yours through `routerContract` of `@frugal/moe/testing`.
 */
export interface Router<P extends Tree = Tree> {
  readonly experts: number;
  /** Fresh parameters; the caller owns them. */
  init(key: Key): P;
  /**
   * What the choice is made from: [tokens, dim] → [tokens, experts], float32, differentiable.
   *
   * Randomness (noise, jitter) comes from `ctx.key` and only in training, so that the same context gives the same logits again.
   */
  logits(params: P, tokens: Tensor, ctx?: Context): Tensor;
  /** The choice, on the host. `logits` are [tokens, experts] in rows; pure. */
  select(logits: Float32Array, tokens: number, options?: SelectOptions): Selection;
  /** The gates of `plan.slots` as a tensor [pairs, 1], differentiable in `logits`; undefined where all are the constant 1. */
  gates(logits: Tensor, plan: DispatchPlan): Tensor | undefined;
  /** FLOPs of `logits` for one token at inference, as the meter counts them. */
  readonly flopsPerToken: number;
}
