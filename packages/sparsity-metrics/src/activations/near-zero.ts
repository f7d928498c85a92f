import { FrugalError, interpret, type KernelHandler } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/**
 * The share of entries that are not needed to hold a share `p` of the L1 norm: top-p sparsity (arXiv 2509.00454).
 *
 * Of k entries kept, the fewest and largest in magnitude with Σ|kept| ≥ p · Σ|x|; the measure is 1 − k / n. With p = 1 it is the share of zeros.
 *
 * @param values At least one number; one vector, e.g. a token's hidden layer.
 * @param p In (0, 1].
 * @returns In [0, 1]; 1 where all are zero.
 * @throws {FrugalError} `BAD_ARGUMENT`.
 */
export function topPSparsity(values: ArrayLike<number>, p: number): number {
  checkShare('p', p);
  if (values.length === 0) throw new FrugalError('BAD_ARGUMENT', 'topPSparsity: values must hold at least one number.');
  const sorted = Float64Array.from(values, Math.abs).sort().reverse();
  const total = sorted.reduce((sum, value) => sum + value, 0);
  if (Number.isNaN(total)) throw new FrugalError('BAD_ARGUMENT', 'topPSparsity: values hold a NaN.');
  // The sum of all, added in this order, must itself be enough for p = 1.
  let [kept, held] = [0, 0];
  while (kept < sorted.length && sorted[kept]! > 0 && held < p * total) held += sorted[kept++]!;
  return 1 - kept / sorted.length;
}

/** How activations are thinned out: the largest that hold a share of the L1 norm, a share of the largest, or those above a threshold. */
export type Rule = { readonly topP: number } | { readonly topK: number } | { readonly threshold: number };

/** Which kernels' outputs are thinned out, and how: the rule for a kernel by its number among the chosen ones, or undefined. */
export type RuleFor = (activation: { readonly kernel: string; readonly index: number }) => Rule | undefined;

/**
 * Runs a program with its activations thinned out: what the network would say if small activations were zero.
 *
 * For smooth activations (GELU, SiLU, gated layers), whose values are near zero and never zero. Nothing in the program is changed; nothing is
 * saved either, this measures quality.
 *
 * @param fn Synchronous.
 * @param select Whether an output is an activation, e.g. `(kernel) => kernel === 'FrugalGelu'`.
 * @param rule One for all, or by activation.
 * @returns What `fn` returns.
 * @throws {FrugalError} `BAD_ARGUMENT` for a rule out of range.
 */
export function thinOut<R>(fn: () => R, select: (kernel: string) => boolean, rule: Rule | RuleFor): R {
  let index = 0;
  const handler: KernelHandler = {
    kernel(kernel, inputs, attrs, next) {
      const out = next(kernel, inputs, attrs);
      if (!select(kernel) || Array.isArray(out)) return out;
      const own = typeof rule === 'function' ? rule({ kernel, index: index++ }) : rule;
      if (own === undefined) return out;
      const thin = thinned(out, own);
      out.dispose();
      return thin;
    },
  };
  return interpret(handler, fn);
}

/** The tensor with its small entries zero; every vector along the last axis by itself. */
export function thinned(x: tf.Tensor, rule: Rule): tf.Tensor {
  if ('threshold' in rule) {
    if (!(rule.threshold >= 0))
      throw new FrugalError('BAD_ARGUMENT', `threshold must be at least 0, got ${rule.threshold}.`);
    return tf.tidy(() => tf.mul(x, tf.cast(tf.greater(tf.abs(x), rule.threshold), 'float32')));
  }
  const width = x.shape.at(-1) ?? 1;
  return tf.tidy(() => {
    const size = tf.abs(x);
    if ('topK' in rule) {
      checkShare('topK', rule.topK);
      const k = Math.max(1, Math.round(rule.topK * width));
      const least = tf.min(tf.topk(size, k).values, -1, true);
      return tf.mul(x, tf.cast(tf.greaterEqual(size, least), 'float32'));
    }
    checkShare('topP', rule.topP);
    const sorted = tf.topk(size, width).values;
    const total = tf.sum(sorted, -1, true);
    // An entry stays if what is larger does not yet hold the share.
    const before = tf.cumsum(sorted, sorted.rank - 1, true);
    const stays = tf.cast(tf.less(before, tf.mul(total, rule.topP)), 'float32');
    const count = tf.sum(stays, -1, true);
    // The smallest that stays: those that do not are raised above all others.
    const least = tf.min(tf.add(sorted, tf.mul(tf.sub(1, stays), tf.add(total, 1))), -1, true);
    const kept = tf.mul(x, tf.cast(tf.greaterEqual(size, least), 'float32'));
    return tf.mul(kept, tf.cast(tf.greater(count, 0), 'float32'));
  });
}

function checkShare(name: string, value: number): void {
  if (value > 0 && value <= 1) return;
  throw new FrugalError('BAD_ARGUMENT', `${name} must be in (0, 1], got ${value}.`);
}

/** What `calibrateThresholds` found. */
export interface Thresholds {
  /** By activation, in the order of a pass. */
  readonly thresholds: readonly number[];
  /** For `thinOut`. */
  readonly rule: RuleFor;
}

/**
 * Thresholds below which a share of each activation's magnitudes lies: how CATS (arXiv 2404.08763) and TEAL (arXiv 2408.14690) make smooth
 * activations sparse without training.
 *
 * @param fn Runs the model once on calibration examples; what it returns is disposed.
 * @param select Whether an output is an activation. TEAL thins the inputs of matrices out: select what makes those.
 * @param sparsity The share, in [0, 1), for all or by activation.
 * @throws {FrugalError} `BAD_ARGUMENT`; `NO_ACTIVATIONS` if nothing was selected.
 */
export async function calibrateThresholds(
  fn: () => tf.TensorContainer,
  select: (kernel: string) => boolean,
  sparsity: number | readonly number[],
): Promise<Thresholds> {
  const seen: tf.Tensor[] = [];
  const handler: KernelHandler = {
    kernel(kernel, inputs, attrs, next) {
      const out = next(kernel, inputs, attrs);
      if (select(kernel) && !Array.isArray(out)) seen.push(tf.keep(tf.tidy(() => tf.abs(out))));
      return out;
    },
  };
  try {
    tf.dispose(interpret(handler, fn));
    if (seen.length === 0)
      throw new FrugalError('NO_ACTIVATIONS', 'calibrateThresholds: select chose no kernel that ran.');
    const thresholds = await Promise.all(
      seen.map(async (one, i) => {
        const share = typeof sparsity === 'number' ? sparsity : sparsity[i];
        if (!(share !== undefined && share >= 0 && share < 1)) {
          throw new FrugalError('BAD_ARGUMENT', `sparsity of activation ${i} must be in [0, 1), got ${share}.`);
        }
        const sorted = ((await one.data()) as Float32Array).slice().sort();
        const below = Math.round(share * sorted.length);
        return below === 0 ? 0 : sorted[below - 1]!;
      }),
    );
    return { thresholds, rule: ({ index }) => ({ threshold: thresholds[index]! }) };
  } finally {
    tf.dispose(seen);
  }
}

/** Options of `criticalSparsity`. */
export interface CriticalSparsityOptions {
  /** Share of the quality at sparsity 0 that must stay. Default 0.99. */
  keep?: number;
  /** Bisections; each halves the error. Default 7, so that it errs by less than 0.01. */
  steps?: number;
}

/**
 * The highest sparsity at which a model keeps 99 % of its quality (arXiv 2509.00454), by bisection.
 *
 * Quality is taken to fall as sparsity rises; where it does not, one of the crossings is found.
 *
 * @param quality Measures it, larger is better, at a sparsity in [0, 1).
 * @throws {FrugalError} `BAD_ARGUMENT`.
 */
export async function criticalSparsity(
  quality: (sparsity: number) => number | Promise<number>,
  { keep = 0.99, steps = 7 }: CriticalSparsityOptions = {},
): Promise<number> {
  checkShare('keep', keep);
  if (!(Number.isInteger(steps) && steps > 0)) {
    throw new FrugalError('BAD_ARGUMENT', `steps must be a positive integer, got ${steps}.`);
  }
  const enough = keep * (await quality(0));
  let [low, high] = [0, 1];
  for (let step = 0; step < steps; step++) {
    const middle = (low + high) / 2;
    if ((await quality(middle)) >= enough) low = middle;
    else high = middle;
  }
  return low;
}
