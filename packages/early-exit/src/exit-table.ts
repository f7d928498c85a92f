import { type Dataset, key, type Labelled, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type ExitCosts, exitCosts } from './exit-costs.ts';
import type { ExitModel, ExitParams } from './exit-model.ts';
import { argMax } from './policies/confidence.ts';
import type { ExitPolicy } from './policies/index.ts';

/** What every exit said of every example of a set: enough to choose thresholds without running the model again. */
export interface ExitTable {
  readonly size: number;
  readonly classes: number;
  readonly costs: ExitCosts;
  /** Per exit, the end last: logits [size × classes] as the model gave them. */
  readonly logits: readonly Float32Array[];
  readonly labels: Int32Array;
}

/** A table under a policy: scores of the early exits and whether each exit's answer is right. */
export interface ScoredTable {
  readonly size: number;
  readonly costs: ExitCosts;
  readonly scores: readonly Float32Array[];
  readonly correct: readonly Uint8Array[];
}

/**
 * Runs every exit on every example of one epoch.
 *
 * Use data that neither trained the model nor will report its accuracy.
 *
 * @param data Batches `{x, y}`, y int32 classes [B].
 */
export async function recordExits<P extends Tree>(
  model: ExitModel<P>,
  params: ExitParams<P>,
  data: Dataset<Labelled>,
): Promise<ExitTable> {
  const logits: Float32Array[][] = Array.from({ length: model.exitCount }, () => []);
  const labels: number[] = [];
  let costs: ExitCosts | undefined;
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    costs ??= exitCosts(model, params, x);
    const outputs = model.outputs(params, x);
    for (const [exit, output] of outputs.entries()) {
      logits[exit]!.push(Float32Array.from((await output.data()) as Float32Array));
    }
    labels.push(...(await y.data()));
    tf.dispose([x, y, outputs]);
  }
  const joined = logits.map((parts) => {
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  });
  const size = labels.length;
  const none: ExitCosts = { segments: [], heads: [], cumulative: [], full: 0 };
  return {
    size,
    classes: joined[0]!.length / size,
    costs: costs ?? none,
    logits: joined,
    labels: Int32Array.from(labels),
  };
}

/**
 * The table of a model with some of the early exits only, as `pickExits` makes it.
 *
 * @param keep Numbers of the early exits to keep, rising.
 * @param costs Of the smaller model, by `exitCosts` or `exitTimes`.
 */
export function pickColumns(table: ExitTable, keep: readonly number[], costs: ExitCosts): ExitTable {
  return { ...table, costs, logits: [...keep.map((exit) => table.logits[exit]!), table.logits.at(-1)!] };
}

/** Lets a policy rate a table. Its thresholds do not matter here. */
export function scoreTable(table: ExitTable, policy: ExitPolicy): ScoredTable {
  const { size, classes, labels, costs } = table;
  const scorer = policy.start(size, classes);
  const rows = Int32Array.from({ length: size }, (_, i) => i);
  const scores: Float32Array[] = [];
  const correct = table.logits.map((logits, exit) => {
    const answers = logits.slice();
    if (exit < table.logits.length - 1) scores.push(scorer.score(exit, answers, rows));
    return Uint8Array.from(rows, (_, i) =>
      Number(argMax(answers.subarray(i * classes, (i + 1) * classes)) === labels[i]),
    );
  });
  return { size, costs, scores, correct };
}

/** What thresholds would do on a table. */
export interface Outcome {
  readonly accuracy: number;
  /** Mean FLOPs per example. */
  readonly cost: number;
  /** Share of the examples that leave at each exit, the end last. */
  readonly shares: readonly number[];
}

/** The exit at which each example leaves. */
export function exitsOf({ size, scores }: ScoredTable, thresholds: readonly number[]): Int32Array {
  const exits = new Int32Array(size).fill(scores.length);
  for (let exit = scores.length - 1; exit >= 0; exit--) {
    const [column, threshold] = [scores[exit]!, thresholds[exit]!];
    for (let i = 0; i < size; i++) if (column[i]! >= threshold) exits[i] = exit;
  }
  return exits;
}

/** Accuracy, cost and shares if examples left at these exits. */
export function outcomeOf({ size, correct, costs }: ScoredTable, exits: Int32Array): Outcome {
  const leavers = new Array<number>(correct.length).fill(0);
  let right = 0;
  for (let i = 0; i < size; i++) {
    const exit = exits[i]!;
    leavers[exit] = leavers[exit]! + 1;
    right += correct[exit]![i]!;
  }
  const cost = leavers.reduce((sum, count, exit) => sum + count * costs.cumulative[exit]!, 0);
  return { accuracy: right / size, cost: cost / size, shares: leavers.map((count) => count / size) };
}

/**
 * The upper bound of all policies: each example leaves at its first right exit, at the first exit where none is right.
 */
export function oracle(table: ScoredTable): Outcome {
  const exits = Int32Array.from({ length: table.size }, (_, i) =>
    Math.max(
      0,
      table.correct.findIndex((right) => right[i]),
    ),
  );
  return outcomeOf(table, exits);
}
