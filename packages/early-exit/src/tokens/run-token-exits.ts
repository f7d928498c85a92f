import { type DynamicRun, FrugalError, gatherRows, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitModel, ExitParams } from '../exit-model.ts';
import type { ExitPolicy, Scorer } from '../policies/index.ts';
import { type Answers, checkThresholds, leave, settle } from '../run-exits.ts';
import { allRows, countFlops, statesOf, type TokenCost, tokenCost } from './token-costs.ts';

/** A run of sequences, each token through as many blocks as it needs. */
export interface TokenRun extends DynamicRun {
  /** Logits, [B, T, classes]. */
  output: tf.Tensor3D;
  /** The exit at which token b·T + t left. */
  exits: Int32Array;
}

/** FLOPs per token of every stage of the backbone and of every head. */
export interface TokenCosts {
  readonly stages: readonly TokenCost[];
  readonly heads: readonly number[];
}

/**
 * Counts what the parts of a sequence model with exits cost per token, on the first example.
 *
 * @param x [B, T] ids, or whatever the backbone takes.
 */
export function tokenCosts<P extends Tree>(model: ExitModel<P>, params: ExitParams<P>, x: tf.Tensor): TokenCosts {
  const stages: TokenCost[] = [];
  const heads: number[] = [];
  tf.tidy(() => {
    const first = tf.slice(x, 0, 1);
    const embedded = model.backbone.stages[0]!.apply(params.backbone, first);
    const tokens = embedded.shape[1]!;
    let h: tf.Tensor = first;
    let previous: tf.Tensor | undefined;
    let exit = 0;
    for (const [point, stage] of [...model.backbone.stages, undefined].entries()) {
      for (; exit < model.exits.length && model.points[exit] === point; exit++) {
        const at: tf.Tensor = h;
        const before: tf.Tensor | undefined = previous;
        heads.push(countFlops(() => model.answer(params, exit, at, before)) / tokens);
        previous = model.answer(params, exit, at, before);
      }
      if (stage === undefined) break;
      stages.push(tokenCost(stage, params.backbone, h, tokens));
      h = stage.apply(params.backbone, h);
    }
  });
  return { stages, heads };
}

/**
 * Runs sequences, each token only as far as the policy lets it; the state of one that has left is copied forward, so that
 * the others still attend to it (CALM, arXiv 2207.07061).
 *
 * What follows the last block (norm and unembedding) is taken to work on each token by itself, as in `gpt`.
 *
 * @param x [B, T] ids; not disposed.
 * @returns Answers, exits and FLOPs per token b·T + t.
 * @throws {FrugalError} `BAD_OPTION` for a policy for another number of exits, an exit before the embedding, or a block
 *   that cannot run for some positions.
 */
export async function runTokenExits<P extends Tree>(
  model: ExitModel<P>,
  params: ExitParams<P>,
  x: tf.Tensor,
  { policy, costs = tokenCosts(model, params, x) }: { readonly policy: ExitPolicy; readonly costs?: TokenCosts },
): Promise<TokenRun> {
  const last = model.exitCount - 1;
  checkThresholds(policy, last);
  const { stages } = model.backbone;
  if (model.points[0]! < 1 || stages.slice(1, -1).some(({ applySome }) => applySome === undefined)) {
    throw new FrugalError(
      'BAD_OPTION',
      'runTokenExits: exits stand behind the embedding, and every block must have applySome. Take a gpt of @frugal/nn.',
    );
  }
  let h: tf.Tensor = stages[0]!.apply(params.backbone, x);
  const [batch, time] = h.shape as [number, number];
  const count = batch * time;
  const exits = new Int32Array(count).fill(last);
  const cost = new Array<number>(count).fill(costs.stages[0]!.base + costs.stages[0]!.row);
  let rows: Int32Array = allRows(count);
  let to: Omit<Answers, 'rows' | 'values'> | undefined;
  let scorer: Scorer | undefined;
  let previous: tf.Tensor | undefined;
  try {
    for (let exit = 0; exit <= last; exit++) {
      for (let point = Math.max(1, model.points[exit - 1] ?? 1); point < model.points[exit]!; point++) {
        const [stage, before] = [stages[point]!, h];
        if (stage.applySome === undefined) {
          // The tail: the states of those who are still there, as one sequence.
          h = tf.tidy(() => stage.apply(params.backbone, statesOf(before, rows, gatherRows)));
        } else if (rows.length === count) h = stage.apply(params.backbone, before);
        else h = stage.applySome(params.backbone, before, rows);
        before.dispose();
        const { base, row } = costs.stages[point]!;
        for (let i = 0; i < count; i++) cost[i]! += base;
        for (const i of rows) cost[i]! += row;
      }
      const here = h;
      const before: tf.Tensor | undefined = previous;
      const logits: tf.Tensor =
        exit === last
          ? here.clone()
          : tf.tidy(() => model.answer(params, exit, statesOf(here, rows, gatherRows), before));
      previous?.dispose();
      previous = logits;
      if (exit < last) for (const i of rows) cost[i]! += costs.heads[exit]!;
      const values = new Float32Array((await logits.data()) as Float32Array);
      const classes = logits.shape.at(-1)!;
      to ??= { classes, answers: new Float32Array(count * classes), exits };
      if (exit === last) {
        settle(rows, values, classes, to.answers);
        break;
      }
      scorer ??= policy.start(count, classes);
      const stay = leave(scorer.score(exit, values, rows), policy.thresholds[exit]!, exit, { ...to, rows, values });
      if (stay === undefined) continue;
      if (stay.length === 0) break;
      rows = stay.map((i) => rows[i]!);
      previous = statesOf(logits, stay, gatherRows);
      logits.dispose();
    }
  } finally {
    tf.dispose([h, previous].filter((tensor) => tensor !== undefined));
  }
  return { output: tf.tensor3d(to!.answers, [batch, time, to!.classes]), exits, cost };
}
