import { type Context, foldIn, type Key, randomNormal, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { affine } from './affine.ts';
import { checkNumber } from './check.ts';

/** What a gate may be told when it chooses; every call may say something else. */
export interface CountOptions {
  /** The budget knob: added to the logit of k learners k times. 0 leaves the gate alone, more gives tokens more. */
  readonly tilt?: number | undefined;
  /** In [0, 1]: as many learners as suffice with this probability, instead of the most probable number. */
  readonly threshold?: number | undefined;
  /** So many for every token, whatever the gate says. */
  readonly count?: number | undefined;
}

/**
 * Decides how many learners a token gets: one of `min`, …, `learners`.
 *
 * Trained by the gradient of the task and of losses on its choices; at inference it chooses on the host from one
 * awaited read of the logits. Run yours through `gateContract` of `@frugal/token-boost/testing`.
 */
export interface Gate<P extends Tree = Tree> {
  readonly learners: number;
  /** The smallest number it may choose: 0 under a residual, 1 elsewhere. */
  readonly min: number;
  /** Fresh parameters; the caller owns them. */
  init(key: Key): P;
  /** [tokens, dim] → [tokens, learners + 1 − min], one logit per possible number; float32, differentiable. */
  logits(params: P, tokens: tf.Tensor, ctx?: Context): tf.Tensor;
  /** The number for each of `tokens` tokens. Pure; `selectCounts` does it for logits that mean log-probabilities. */
  select(logits: Float32Array, tokens: number, options?: CountOptions): Uint8Array;
  /** FLOPs of `logits` for one token, as the meter counts them. */
  readonly flopsPerToken: number;
}

/** Parameters of `mlpGate`: dim → width → choices. */
export type MlpGateParams = {
  readonly w1: tf.Tensor2D;
  readonly b1: tf.Tensor1D;
  readonly w2: tf.Tensor2D;
  readonly b2: tf.Tensor1D;
};

/** Options of `mlpGate`. */
export interface MlpGateOptions {
  /** Hidden width. Default dim ÷ 32, at least 4: about half a per cent of a feed-forward network of ratio 4 at dim 256. */
  width?: number;
  /** The smallest number it may choose. Default 0. */
  min?: number;
}

/**
 * The gate of Adaptive Computation Modules: two small layers with a ReLU between them (arXiv 2312.10193).
 *
 * Starts undecided: the second layer starts small.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function mlpGate(dim: number, learners: number, options: MlpGateOptions = {}): Gate<MlpGateParams> {
  const { width = Math.max(4, Math.round(dim / 32)), min = 0 } = options;
  checkNumber('mlpGate: dim', dim, { min: 1, whole: true });
  checkNumber('mlpGate: learners', learners, { min: 1, max: 255, whole: true });
  checkNumber('mlpGate: width', width, { min: 1, whole: true });
  checkNumber('mlpGate: min', min, { min: 0, max: learners - 1, whole: true });
  const choices = learners + 1 - min;
  return {
    learners,
    min,
    flopsPerToken: 2 * dim * width + 2 * width + 2 * width * choices + choices,
    init: (key) =>
      tf.tidy(() => ({
        w1: tf.mul(randomNormal(foldIn(key, 0), [dim, width]), Math.sqrt(2 / dim)),
        b1: tf.zeros([width]),
        w2: tf.mul(randomNormal(foldIn(key, 1), [width, choices]), 0.1 / Math.sqrt(width)),
        b2: tf.zeros([choices]),
      })) as MlpGateParams,
    logits: ({ w1, b1, w2, b2 }, tokens) => tf.tidy(() => affine(affine(tokens, w1, b1, 'relu'), w2, b2)),
    select: (logits, tokens, options) => selectCounts(logits, tokens, { learners, min }, options),
  };
}

/**
 * The same number for every token, at no cost: a baseline, or a layer that is not to adapt.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function fixedGate(learners: number, count: number): Gate<Record<string, never>> {
  checkNumber('fixedGate: learners', learners, { min: 1, max: 255, whole: true });
  checkNumber('fixedGate: count', count, { min: 0, max: learners, whole: true });
  const row = Float32Array.from({ length: learners + 1 }, (_, k) => (k === count ? 0 : -1e4));
  return {
    learners,
    min: 0,
    flopsPerToken: 0,
    init: () => ({}),
    logits: (_, tokens) => {
      const rows = tokens.shape[0]!;
      const values = new Float32Array(rows * row.length);
      for (let t = 0; t < rows; t++) values.set(row, t * row.length);
      return tf.tensor2d(values, [rows, row.length]);
    },
    select: (logits, tokens, options) => selectCounts(logits, tokens, { learners, min: 0 }, options),
  };
}

/**
 * The most probable number of each row (the smaller one of a tie), or by the rule that `options` name.
 *
 * With p = softmax(logits + tilt · k): arg max p, or with a threshold the smallest k with p(min) + … + p(k) ≥ threshold.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` for an option out of range.
 */
export function selectCounts(
  logits: Float32Array,
  tokens: number,
  { learners, min }: { readonly learners: number; readonly min: number },
  { tilt = 0, threshold, count }: CountOptions = {},
): Uint8Array {
  checkNumber('tilt', tilt, { min: -1e6, max: 1e6 });
  if (threshold !== undefined) checkNumber('threshold', threshold, { min: 0, max: 1 });
  if (count !== undefined) {
    checkNumber('count', count, { min, max: learners, whole: true });
    return new Uint8Array(tokens).fill(count);
  }
  const choices = learners + 1 - min;
  const counts = new Uint8Array(tokens);
  const tilted = new Float64Array(choices);
  for (let t = 0; t < tokens; t++) {
    let best = 0;
    for (let c = 0; c < choices; c++) {
      tilted[c] = logits[t * choices + c]! + tilt * c;
      if (tilted[c]! > tilted[best]!) best = c;
    }
    counts[t] = min + (threshold === undefined ? best : quantile(tilted, tilted[best]!, threshold));
  }
  return counts;
}

/** The first choice at which the probabilities add up to a share. */
function quantile(logits: Float64Array, largest: number, share: number): number {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0);
  let sum = 0;
  for (let c = 0; c < logits.length - 1; c++) {
    sum += Math.exp(logits[c]! - largest);
    if (sum >= share * total) return c;
  }
  return logits.length - 1;
}
