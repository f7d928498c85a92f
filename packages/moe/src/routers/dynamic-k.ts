import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../check.ts';
import type { Router, Selection, SelectOptions } from '../router.ts';
import {
  deviceGates,
  hostScores,
  initialWeight,
  type LinearRouterParams,
  normalizeHost,
  type ScoreName,
} from './scores.ts';

/** How many experts a token gets: all with a score ≥ (1 − τ) · the largest, or as few as hold a share τ of all scores. */
export type DynamicKRule = 'max' | 'mass';

/** Options of `dynamicKRouter`. */
export interface DynamicKRouterOptions {
  /** Default `'mass'`. `'max'` is D2DMoE's rule. */
  rule?: DynamicKRule;
  /** In [0, 1], larger for more experts; every call may choose another one. Default 0.5. */
  tau?: number;
  /** Default `'softmax'`. */
  score?: 'softmax' | 'sigmoid';
  /** Whether the gates of a token sum to 1. Default false. */
  normalize?: boolean;
}

/**
 * As many experts as the token needs, at least one: τ is free at run time, so one model has a whole cost curve.
 *
 * arXiv 2403.07652 (`'mass'`, top-p), 2310.04361 (`'max'`).
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function dynamicKRouter(
  dim: number,
  experts: number,
  options: DynamicKRouterOptions = {},
): Router<LinearRouterParams> {
  const { rule = 'mass', tau = 0.5, score = 'softmax', normalize = false } = options;
  checkNumber('dynamicKRouter: dim', dim, { min: 1, integer: true });
  checkNumber('dynamicKRouter: experts', experts, { min: 1, integer: true });
  checkNumber('dynamicKRouter: tau', tau, { min: 0, max: 1 });
  return {
    experts,
    flopsPerToken: 2 * dim * experts,
    init: (key) => ({ weight: initialWeight(key, dim, experts) }),
    logits: ({ weight }, tokens) => tf.matMul(tokens as tf.Tensor2D, weight),
    select(logits, _tokens, options) {
      const selection = selectDynamicK(logits, { experts, rule, score, tau }, options);
      if (normalize) normalizeHost(selection.slots, selection.gates, experts);
      return selection;
    },
    gates: (logits, plan) => deviceGates(logits, plan, score, normalize),
  };
}

/** What `selectDynamicK` needs to know. */
export interface DynamicKSelection {
  readonly experts: number;
  readonly rule: DynamicKRule;
  readonly score: ScoreName;
  readonly tau: number;
}

/** The experts of each row by the rule; scores plus bias decide, scores are the gates. Negative scores count as 0. */
export function selectDynamicK(logits: Float32Array, how: DynamicKSelection, options: SelectOptions = {}): Selection {
  const { experts, rule, score } = how;
  const { bias, tau = how.tau } = options;
  checkNumber('tau', tau, { min: 0, max: 1 });
  const scores = hostScores(logits, experts, score);
  const slots: number[] = [];
  const row = new Float64Array(experts);
  for (let from = 0; from < scores.length; from += experts) {
    for (let e = 0; e < experts; e++) row[e] = Math.max(0, scores[from + e]! + (bias?.[e] ?? 0));
    const bound = rule === 'max' ? maxBound(row, tau) : massBound(row, tau);
    const before = slots.length;
    for (let e = 0; e < experts; e++) if (row[e]! >= bound) slots.push(from + e);
    if (slots.length === before) slots.push(from); // only NaN: the first, so that every token has one
  }
  return { slots: Int32Array.from(slots), gates: Float32Array.from(slots, (slot) => scores[slot]!) };
}

const maxBound = (row: Float64Array, tau: number): number => (1 - tau) * row.reduce((a, b) => Math.max(a, b), 0);

/** The smallest score that still belongs to the share. */
function massBound(row: Float64Array, tau: number): number {
  const sorted = Float64Array.from(row).sort().reverse();
  const goal = tau * sorted.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (const score of sorted) {
    sum += score;
    if (sum >= goal) return score;
  }
  return 0; // rounding alone kept the sum below the goal
}
