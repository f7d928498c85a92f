import { type DynamicRun, FrugalError, gatherRows, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type ExitCosts, exitCosts } from './exit-costs.ts';
import type { ExitModel, ExitParams } from './exit-model.ts';
import type { ExitPolicy } from './policies/index.ts';

/** A run of a batch through a model with exits. */
export interface ExitRun extends DynamicRun {
  /** Logits (or what an ensemble answered), [B, classes]. */
  output: tf.Tensor2D;
  /** The exit at which each example left; the last number is the end. */
  exits: Int32Array;
}

/** Options of `runExits`. */
export interface RunExitsOptions {
  readonly policy: ExitPolicy;
  /** From `exitCosts`; counted anew on this batch where it is missing. */
  readonly costs?: ExitCosts;
}

function checkThresholds(policy: ExitPolicy, exits: number): void {
  if (policy.thresholds.length === exits) return;
  throw new FrugalError(
    'BAD_OPTION',
    `policy '${policy.name}' has ${policy.thresholds.length} thresholds, the model ${exits} early exits. Give one each.`,
  );
}

/**
 * Runs a batch, each example only as far as the policy lets it: who has left is not computed further.
 *
 * After each exit the logits are read once, the policy decides on the host, and the rows that stay are gathered, so the
 * next stage runs on a smaller batch.
 *
 * @param x [B, …]; not disposed.
 * @returns Answers in the order of the batch, where each example left, and the FLOPs that each cost.
 * @throws {FrugalError} `BAD_OPTION` if the policy has not one threshold per early exit.
 */
export async function runExits<P extends Tree>(
  model: ExitModel<P>,
  params: ExitParams<P>,
  x: tf.Tensor,
  { policy, costs }: RunExitsOptions,
): Promise<ExitRun> {
  const last = model.exitCount - 1;
  checkThresholds(policy, last);
  const size = x.shape[0]!;
  const exits = new Int32Array(size).fill(last);
  const { cumulative } = costs ?? exitCosts(model, params, x);
  let rows = Int32Array.from({ length: size }, (_, i) => i);
  let answers: Float32Array | undefined;
  let classes = 0;
  let scorer: ReturnType<ExitPolicy['start']> | undefined;
  let h = x;
  let previous: tf.Tensor | undefined;
  const replace = (next: tf.Tensor): void => {
    if (h !== x) h.dispose();
    h = next;
  };
  try {
    for (let exit = 0; exit <= last && rows.length > 0; exit++) {
      replace(model.segment(params, exit, h));
      const logits = model.answer(params, exit, h, previous);
      previous?.dispose();
      previous = logits;
      const values = Float32Array.from((await logits.data()) as Float32Array);
      classes = logits.shape[1]!;
      answers ??= new Float32Array(size * classes);
      scorer ??= policy.start(size, classes);
      const scores = exit < last ? scorer.score(exit, values, rows) : undefined;
      const stay: number[] = [];
      for (const [i, row] of rows.entries()) {
        if (scores !== undefined && !(scores[i]! >= policy.thresholds[exit]!)) stay.push(i);
        else {
          answers.set(values.subarray(i * classes, (i + 1) * classes), row * classes);
          exits[row] = exit;
        }
      }
      if (stay.length === rows.length) continue;
      const kept = Int32Array.from(stay);
      rows = kept.map((i) => rows[i]!);
      if (rows.length === 0) break;
      replace(gatherRows(h, kept));
      const carried = gatherRows(previous, kept);
      previous.dispose();
      previous = carried;
    }
  } finally {
    if (h !== x) h.dispose();
    previous?.dispose();
  }
  const output = tf.tensor2d(answers ?? new Float32Array(0), [size, classes]);
  return { output, exits, cost: Array.from(exits, (exit) => cumulative[exit]!) };
}
