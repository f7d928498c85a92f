import { type DynamicRun, FrugalError, gatherRows, paddedSize, prefersStaticShapes, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type ExitCosts, exitCosts } from './exit-costs.ts';
import type { ExitModel, ExitParams } from './exit-model.ts';
import type { ExitPolicy, Scorer } from './policies/index.ts';

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
  /**
   * Whether those who stay are filled up to a power of two, so that there are few shapes; the cost of the filling is theirs.
   * Default: where the backend compiles a program for every shape (webgl).
   */
  readonly pad?: boolean;
}

/** Refuses a policy for another number of exits. */
export function checkThresholds(policy: ExitPolicy, exits: number): void {
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
  { policy, costs, pad = prefersStaticShapes() }: RunExitsOptions,
): Promise<ExitRun> {
  const last = model.exitCount - 1;
  checkThresholds(policy, last);
  const { cumulative, segments, heads } = costs ?? exitCosts(model, params, x);
  const size = x.shape[0]!;
  const exits = new Int32Array(size).fill(last);
  let rows = new Int32Array(size);
  for (let i = 0; i < size; i++) rows[i] = i;
  let answers: Float32Array | undefined;
  let classes = 0;
  let scorer: Scorer | undefined;
  /** FLOPs of rows that only fill up, per example. */
  const filling = new Float64Array(size);
  let h = x;
  let previous: tf.Tensor | undefined;
  const advance = (next: tf.Tensor): void => {
    if (h !== x) h.dispose();
    h = next;
  };
  const carry = (logits: tf.Tensor | undefined): void => {
    previous?.dispose();
    previous = logits;
  };
  try {
    for (let exit = 0; exit <= last; exit++) {
      if (model.points[exit]! > (model.points[exit - 1] ?? 0)) advance(model.segment(params, exit, h));
      // Logits stay on the device only for a head that looks at them.
      const needed = exit < last - 1 && model.exits[exit + 1]!.head.alone !== true;
      const logits = exit === last ? h : model.answer(params, exit, h, previous);
      carry(logits === h ? undefined : logits);
      classes = logits.shape.at(-1)!;
      const values = ((await logits.data()) as Float32Array).slice(0, rows.length * classes);
      const extra = ((h.shape[0]! - rows.length) / rows.length) * (segments[exit]! + heads[exit]!);
      if (extra > 0) for (const row of rows) filling[row]! += extra;
      if (!needed) carry(undefined);
      answers ??= new Float32Array(size * classes);
      if (exit === last) {
        settle(rows, values, classes, answers);
        break;
      }
      scorer ??= policy.start(size, classes);
      const scores = scorer.score(exit, values, rows);
      const stay = leave(scores, policy.thresholds[exit]!, exit, { rows, values, classes, answers, exits });
      if (stay === undefined) continue;
      if (stay.length === 0) break;
      rows = stay.map((i) => rows[i]!);
      const taken = pad ? filled(stay, size) : stay;
      advance(gatherRows(h, taken));
      if (previous !== undefined) carry(gatherRows(previous, taken));
    }
  } finally {
    advance(x);
    carry(undefined);
  }
  const output = tf.tensor2d(answers ?? new Float32Array(0), [size, classes]);
  const cost = new Array<number>(size);
  for (let i = 0; i < size; i++) cost[i] = cumulative[exits[i]!]! + filling[i]!;
  return { output, exits, cost };
}

/** Rows and the first of them again, until there are a power of two of them, or as many as at the start. */
function filled(rows: Int32Array, most: number): Int32Array {
  const all = new Int32Array(Math.min(most, paddedSize(rows.length))).fill(rows[0]!);
  all.set(rows);
  return all;
}

/** Where an exit's answers come from and go to. */
export interface Answers {
  readonly rows: Int32Array;
  readonly values: Float32Array;
  readonly classes: number;
  readonly answers: Float32Array;
  readonly exits: Int32Array;
}

/** Everybody who is still there has the answer in their row. */
export function settle(rows: Int32Array, values: Float32Array, classes: number, answers: Float32Array): void {
  for (let i = 0; i < rows.length; i++) {
    for (let c = 0; c < classes; c++) answers[rows[i]! * classes + c] = values[i * classes + c]!;
  }
}

/** Lets those go whose score reaches the threshold; the places of the others, or undefined if nobody goes. */
export function leave(scores: Float32Array, threshold: number, exit: number, to: Answers): Int32Array | undefined {
  const { rows, values, classes, answers, exits } = to;
  const stay = new Int32Array(rows.length);
  let staying = 0;
  for (let i = 0; i < rows.length; i++) {
    if (!(scores[i]! >= threshold)) {
      stay[staying++] = i;
      continue;
    }
    const row = rows[i]!;
    exits[row] = exit;
    for (let c = 0; c < classes; c++) answers[row * classes + c] = values[i * classes + c]!;
  }
  return staying === rows.length ? undefined : stay.subarray(0, staying);
}
