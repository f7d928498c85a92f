import { FrugalError, gatherRows, type Key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { PlainExpertsParams } from '../sparse-experts.ts';
import { balancedGroups } from './balanced-groups.ts';
import { coactivationGroups } from './coactivation-groups.ts';

/** A two-layer network: `weight` [in, out], as `feedForward` of `@frugal/nn` has it. */
export type FeedForward = {
  readonly fc1: { readonly weight: tf.Tensor2D; readonly bias: tf.Tensor1D };
  readonly fc2: { readonly weight: tf.Tensor2D; readonly bias: tf.Tensor1D };
};

/** Options of `splitFeedForward`. */
export interface SplitOptions {
  readonly key: Key;
  /** Outputs of the activation [tokens, hidden]: units that are active together then stay together, instead of similar ones. */
  readonly activity?: tf.Tensor2D | undefined;
}

/**
 * Cuts a trained feed-forward network into experts of equal width, hidden units with similar weights together (balanced
 * k-means), or with an `activity` those that are active on the same tokens (a balanced cut of the co-activation graph).
 *
 * All experts with gates of 1 compute what the network computed. Works for any activation of hidden units one by one; few experts are
 * then enough only where few units are active (ReLU, and better after training with `squaredHoyer`).
 *
 * @param experts How many; divides the hidden width.
 * @returns Stacked experts without output biases, and the output bias, for `moe`'s tree `{ router, experts, bias }`; the caller owns them.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export async function splitFeedForward(
  { fc1, fc2 }: FeedForward,
  experts: number,
  options: SplitOptions,
): Promise<{ experts: PlainExpertsParams; bias: tf.Tensor1D }> {
  const [dim, hidden] = fc1.weight.shape;
  const { key, activity } = options;
  if (activity !== undefined && (activity.rank !== 2 || activity.shape[1] !== hidden)) {
    const wanted = `activity must be outputs of the activation, [tokens, ${hidden}]`;
    throw new FrugalError('INVALID_ARGUMENT', `${wanted}, got [${activity.shape}].`);
  }
  const seen = activity ?? tf.transpose(fc1.weight);
  const values = (await seen.data()) as Float32Array;
  if (activity === undefined) seen.dispose();
  const groups =
    activity === undefined
      ? balancedGroups(values, dim, experts, { key })
      : coactivationGroups(values, hidden, experts, { key });
  const order = Int32Array.from(groups.flat());
  const width = hidden / experts;
  return tf.tidy(() => {
    const rows = tf.reshape(gatherRows(tf.transpose(fc1.weight), order), [experts, width, dim]);
    return {
      experts: {
        w1: tf.transpose(rows, [0, 2, 1]) as tf.Tensor3D,
        b1: tf.reshape(gatherRows(fc1.bias, order), [experts, width]) as tf.Tensor2D,
        w2: tf.reshape(gatherRows(fc2.weight, order), [experts, width, fc2.weight.shape[1]]) as tf.Tensor3D,
        b2: tf.zeros([experts, fc2.weight.shape[1]]) as tf.Tensor2D,
      },
      bias: tf.clone(fc2.bias),
    };
  });
}

/**
 * Squared Hoyer, (Σ|h|)² ÷ Σh² ÷ width, mean over the rows: the share of units that are active, made differentiable.
 *
 * 1 where all are equally large, 1/width where one is active. Added to a loss (weight 0.3–2) it makes a network that can be split
 * (arXiv 2310.04361; as a penalty: Kurtz et al., ICML 2020).
 *
 * @param hidden Outputs of the activation […, width].
 */
export function squaredHoyer(hidden: tf.Tensor): tf.Scalar {
  return tf.tidy(() => {
    const sum = tf.sum(tf.abs(hidden), -1);
    const squares = tf.add(tf.sum(tf.square(hidden), -1), 1e-12); // rows without an active unit count 0
    return tf.div(tf.mean(tf.div(tf.square(sum), squares)), hidden.shape.at(-1)!) as tf.Scalar;
  });
}
