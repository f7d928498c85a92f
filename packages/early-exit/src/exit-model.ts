import { type Context, FrugalError, foldIn, type Module, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitHead } from './heads.ts';
import { scaleGradient, stopGradient } from './stop-gradient.ts';

/** Where a head stands: point 0 is the input itself, point i the output of the backbone's stage i − 1. */
export interface ExitSpec {
  readonly at: number;
  readonly head: ExitHead;
}

/** The tree of a model with exits. */
export type ExitParams<P extends Tree> = { readonly backbone: P; readonly heads: readonly Tree[] };

/** A staged backbone with heads on the way; the last exit is the backbone's own output. */
export interface ExitModel<P extends Tree = Tree> extends Module<ExitParams<P> & Tree> {
  readonly backbone: Staged<P>;
  readonly exits: readonly ExitSpec[];
  /** Early exits and the backbone's own end. */
  readonly exitCount: number;
  /** The point of each exit, the end last. */
  readonly points: readonly number[];
  /** Runs the backbone from the exit before (or the input) to exit `exit`; a new tensor. */
  segment(params: ExitParams<P>, exit: number, h: tf.Tensor, ctx?: Context): tf.Tensor;
  /** The logits of exit `exit` from the activation at its point. */
  answer(params: ExitParams<P>, exit: number, h: tf.Tensor, previous?: tf.Tensor, ctx?: Context): tf.Tensor;
  /** The logits of every exit, [B, classes] (or [B, T, classes]) each; the caller owns them. */
  outputs(params: ExitParams<P>, x: tf.Tensor, options?: OutputsOptions): tf.Tensor[];
}

/** Options of `outputs`. */
export interface OutputsOptions {
  readonly ctx?: Context;
  /** Keeps the heads' gradients out of the backbone: heads on a frozen model. Default false. */
  readonly detached?: boolean;
  /**
   * The backbone gets the mean of the gradients of all exits behind a layer instead of their sum (BoostNet, arXiv
   * 2211.16726); the heads' own gradients stay whole. Default false.
   */
  readonly rescaled?: boolean;
}

/**
 * Puts exits on a staged model.
 *
 * @param backbone Any staged model whose output is logits [B, classes]: `sequential`, `mlp`, `lenet5`, `vit`, …
 * @param exits Early exits, in the order of their points; several may stand at one point, e.g. a cheap head before a good one.
 * @throws {FrugalError} `BAD_OPTION` if the points are not 0 ≤ at < number of stages, never falling.
 */
export function withExits<P extends Tree>(backbone: Staged<P>, exits: readonly ExitSpec[]): ExitModel<P> {
  const stages = backbone.stages.length;
  const last = exits.length;
  const points = [...exits.map(({ at }) => at), stages];
  for (const [i, { at }] of exits.entries()) {
    if (Number.isInteger(at) && at >= 0 && at < stages && (i === 0 || at >= points[i - 1]!)) continue;
    throw new FrugalError(
      'BAD_OPTION',
      `withExits: the points of the exits must not fall and lie in [0, ${stages}), got [${points.slice(0, last)}]. ` +
        'The end needs no head.',
    );
  }

  const segment = (params: ExitParams<P>, exit: number, h: tf.Tensor, ctx?: Context): tf.Tensor => {
    let y = h;
    for (const stage of backbone.stages.slice(points[exit - 1] ?? 0, points[exit])) {
      const next = stage.apply(params.backbone, y, ctx);
      if (y !== h) y.dispose();
      y = next;
    }
    return y === h ? h.clone() : y;
  };

  const answer = (
    params: ExitParams<P>,
    exit: number,
    h: tf.Tensor,
    previous?: tf.Tensor,
    ctx?: Context,
  ): tf.Tensor => {
    if (exit === last) return h.clone() as tf.Tensor;
    const own = ctx && { ...ctx, path: `heads.${exit}`, key: ctx.key && foldIn(ctx.key, stages + exit) };
    return exits[exit]!.head.apply(params.heads[exit]!, h, previous, own);
  };

  return {
    ...{ backbone, exits, points, exitCount: last + 1, segment, answer },
    init: (key) => ({
      backbone: backbone.init(foldIn(key, 0)),
      heads: exits.map(({ head }, i) => head.init(foldIn(key, i + 1))),
    }),
    apply: (params, x, ctx) => backbone.apply(params.backbone, x, ctx),
    outputs: (params, x, { ctx, detached = false, rescaled = false } = {}) =>
      tf.tidy(() => {
        const logits: tf.Tensor[] = [];
        let h = x;
        for (let exit = 0; exit <= last; exit++) {
          h = segment(params, exit, h, ctx);
          // The gradient at h: one of `behind` parts from its own head, the others from what comes after.
          const behind = last + 1 - exit;
          const shown = rescaled && behind > 1 ? scaleGradient(h, 1 / behind) : h;
          const seen = detached && exit < last ? stopGradient(h) : shown;
          logits.push(answer(params, exit, seen, logits.at(-1), ctx));
          if (rescaled && behind > 1) h = scaleGradient(h, (behind - 1) / behind);
        }
        return logits;
      }),
  };
}

/**
 * The same model with some of its early exits only, e.g. without one whose threshold would never be reached.
 *
 * @param keep Numbers of the early exits to keep, rising.
 * @returns The model and its parameters, which are shared with the old ones.
 * @throws {FrugalError} `BAD_OPTION` for a number that is no early exit, or a head that would miss the one before.
 */
export function pickExits<P extends Tree>(
  model: ExitModel<P>,
  params: ExitParams<P>,
  keep: readonly number[],
): { readonly model: ExitModel<P>; readonly params: ExitParams<P> } {
  for (const [i, exit] of keep.entries()) {
    const before = keep[i - 1] ?? -1;
    const head = model.exits[exit]?.head;
    if (head !== undefined && exit > before && (head.alone === true || before === exit - 1)) continue;
    throw new FrugalError(
      'BAD_OPTION',
      `pickExits: keep must be rising numbers of early exits below ${model.exits.length}, and a head that looks at the ` +
        `exit before needs it; got [${keep}].`,
    );
  }
  return {
    model: withExits(
      model.backbone,
      keep.map((exit) => model.exits[exit]!),
    ),
    params: { backbone: params.backbone, heads: keep.map((exit) => params.heads[exit]!) },
  };
}
