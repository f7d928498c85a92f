import { FrugalError, interpret, isTapeOpen, type KernelAttrs, type KernelHandler } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { rectifierOf } from './kernels.ts';

/** How activity is punished: the mean magnitude, or squared Hoyer, which is the share of active units made differentiable. */
export type Penalty = 'l1' | 'squaredHoyer';

const EPSILON = 1e-12;

/**
 * A measure of activity that falls as activations get sparser, differentiable: 0-d.
 *
 * `'l1'`: mean |h|. `'squaredHoyer'`: (Σ|h|)² / (n · Σh²) per vector along the last axis, mean over them, in [1/n, 1] where a vector is not zero
 * (arXiv 2310.04361 trains by it). Hoyer's does not change if all activations are scaled, so it cannot be made small by making them small.
 *
 * @param h […, n], float32.
 */
export function activityPenalty(h: tf.Tensor, penalty: Penalty): tf.Scalar {
  return tf.tidy(() => {
    const size = tf.abs(h);
    if (penalty === 'l1') return tf.mean(size) as tf.Scalar;
    const sums = tf.square(tf.sum(size, -1));
    const squares = tf.add(tf.sum(tf.square(h), -1), EPSILON);
    return tf.div(tf.mean(tf.div(sums, squares)), h.shape.at(-1)!) as tf.Scalar;
  });
}

/** Options of `withActivityPenalty`. */
export interface WithActivityPenaltyOptions {
  /** Default `'squaredHoyer'`. */
  penalty?: Penalty;
  /** Which kernels' outputs count. Default: rectified ones. */
  select?: (kernel: string, attrs: KernelAttrs) => boolean;
}

/**
 * Runs a model and measures how active its activations are, for any loss: loss = f(output) + weight · activity.
 *
 * Works on any program, as it looks at kernels; call it inside of the function that is differentiated.
 *
 * @param fn Synchronous; returns a tensor.
 * @returns The output and the mean penalty over the activations; the caller owns both.
 * @throws {FrugalError} `NO_ACTIVATIONS` if nothing was selected.
 */
export function withActivityPenalty(
  fn: () => tf.Tensor,
  options: WithActivityPenaltyOptions = {},
): { output: tf.Tensor; activity: tf.Scalar } {
  const { penalty = 'squaredHoyer', select = (kernel, attrs) => rectifierOf(kernel, attrs) !== undefined } = options;
  const seen: tf.Tensor[] = [];
  const measured: tf.Scalar[] = [];
  const handler: KernelHandler = {
    kernel(kernel, inputs, attrs, next) {
      const out = next(kernel, inputs, attrs);
      if (!select(kernel, attrs) || Array.isArray(out)) return out;
      // Where a gradient is recorded the activation lives, and the tape wants what uses it after it. Elsewhere a model may let go of it at once.
      if (isTapeOpen()) seen.push(tf.keep(out));
      else measured.push(tf.keep(activityPenalty(out, penalty)));
      return out;
    },
  };
  const [output, activity] = tf.tidy(() => {
    const made = interpret(handler, fn);
    const parts = [...measured, ...seen.map((h) => activityPenalty(h, penalty))];
    if (parts.length === 0) {
      throw new FrugalError(
        'NO_ACTIVATIONS',
        'withActivityPenalty: no rectifying kernel ran. Say with select which to look at.',
      );
    }
    const sum = parts.reduce((a, b) => tf.add(a, b) as tf.Scalar);
    return [made, tf.div(sum, parts.length) as tf.Scalar];
  });
  tf.dispose(measured);
  return { output, activity };
}
