import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../check.ts';
import type { Router, Selection } from '../router.ts';
import { deviceGates, hostScores, initialWeight, type LinearRouterParams } from './scores.ts';

/** Options of `expertChoiceRouter`. */
export interface ExpertChoiceRouterOptions {
  /** Experts per token on average: each expert takes ⌈tokens · factor ÷ experts⌉ tokens. Default 2. */
  capacityFactor?: number;
}

/**
 * Experts choose tokens: each takes those that score it highest, so the load is even by construction (arXiv 2202.09368).
 *
 * A token may get no expert, or many. The choice depends on all tokens of the call: not for autoregressive decoding.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function expertChoiceRouter(
  dim: number,
  experts: number,
  options: ExpertChoiceRouterOptions = {},
): Router<LinearRouterParams> {
  const { capacityFactor = 2 } = options;
  checkNumber('expertChoiceRouter: dim', dim, { min: 1, integer: true });
  checkNumber('expertChoiceRouter: experts', experts, { min: 1, integer: true });
  checkNumber('expertChoiceRouter: capacityFactor', capacityFactor, { min: 0, max: experts });
  return {
    experts,
    flopsPerToken: 2 * dim * experts,
    init: (key) => ({ weight: initialWeight(key, dim, experts) }),
    logits: ({ weight }, tokens) => tf.matMul(tokens as tf.Tensor2D, weight),
    select: (logits, tokens) => selectByExpert(hostScores(logits, experts, 'softmax'), tokens, experts, capacityFactor),
    gates: (logits, plan) => deviceGates(logits, plan, 'softmax', false),
  };
}

function selectByExpert(scores: Float32Array, tokens: number, experts: number, factor: number): Selection {
  const each = Math.min(tokens, Math.ceil((tokens * factor) / experts));
  const chosen = new Uint8Array(tokens * experts);
  for (let e = 0; e < experts; e++) {
    const order = Int32Array.from({ length: tokens }, (_, t) => t);
    order.sort((a, b) => scores[b * experts + e]! - scores[a * experts + e]! || a - b);
    for (let i = 0; i < each; i++) chosen[order[i]! * experts + e] = 1;
  }
  const slots = new Int32Array(each * experts);
  for (let slot = 0, at = 0; slot < chosen.length; slot++) if (chosen[slot] === 1) slots[at++] = slot;
  return { slots, gates: Float32Array.from(slots, (slot) => scores[slot]!) };
}
