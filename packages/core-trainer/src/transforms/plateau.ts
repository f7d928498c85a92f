import { FrugalError, type GradientTransformation, treeMap } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { stepOf, tidy } from './support.ts';

/** State of `reduceOnPlateau`, all scalars on the device. */
export type PlateauState = {
  /** The factor that updates get now. */
  scale: tf.Tensor;
  best: tf.Tensor;
  /** Sum of the losses of the window so far. */
  sum: tf.Tensor;
  /** Windows without an improvement. */
  bad: tf.Tensor;
  /** Windows that are not judged any more. */
  cooldown: tf.Tensor;
};

/** Options of `reduceOnPlateau`. */
export interface PlateauOptions {
  /** What the scale is multiplied by, in (0, 1). Default 0.1. */
  factor?: number;
  /** Windows without an improvement before that happens. Default 10. */
  patience?: number;
  /** Windows after a reduction that are not judged. Default 0. */
  cooldown?: number;
  /** Steps whose mean loss is one value. Default 1; a noisy batch loss wants more. */
  window?: number;
  /** The scale does not fall below it. Default 0. */
  least?: number;
  /** An improvement is a value below best · (1 − tolerance). Default 1e-4. */
  tolerance?: number;
}

/**
 * Scales the updates down when the loss stops falling. The last member of a chain, or after one that has no `step`.
 *
 * Reads `extra.loss`, but never on the host: the decision is taken on the device.
 *
 * @throws {FrugalError} `MISSING_LOSS` from `update` without `extra.loss`.
 */
export function reduceOnPlateau(options: PlateauOptions = {}): GradientTransformation<PlateauState> {
  const { factor = 0.1, patience = 10, cooldown = 0, window = 1, least = 0, tolerance = 1e-4 } = options;
  checkNumber('factor', factor, { min: 0, max: 1, exclusive: true });
  checkNumber('patience', patience, { min: 1, integer: true });
  checkNumber('cooldown', cooldown, { min: 0, integer: true });
  checkNumber('window', window, { min: 1, integer: true });
  checkNumber('least', least, { min: 0 });
  checkNumber('tolerance', tolerance, { min: 0, max: 1 });

  /** The state after a window whose losses add up to `sum`. */
  function judge(state: PlateauState, sum: tf.Tensor): PlateauState {
    const value = tf.div(sum, window);
    const improved = tf.less(value, tf.mul(state.best, 1 - tolerance));
    const none = tf.scalar(0, 'int32');
    const resting = tf.greater(state.cooldown, none);
    const bad = tf.where(improved, none, tf.add(state.bad, tf.scalar(1, 'int32')));
    const flat = tf.logicalAnd(tf.greaterEqual(bad, tf.scalar(patience, 'int32')), tf.logicalNot(resting));
    return {
      scale: tf.where(flat, tf.maximum(tf.mul(state.scale, factor), least), state.scale),
      best: tf.where(improved, value, state.best),
      sum: tf.scalar(0),
      bad: tf.where(tf.logicalOr(flat, resting), none, bad),
      cooldown: tf.where(
        resting,
        tf.sub(state.cooldown, tf.scalar(1, 'int32')),
        tf.where(flat, tf.scalar(cooldown, 'int32'), none),
      ),
    };
  }

  return {
    init: () => ({
      scale: tf.scalar(1),
      best: tf.scalar(Number.POSITIVE_INFINITY),
      sum: tf.scalar(0),
      bad: tf.scalar(0, 'int32'),
      cooldown: tf.scalar(0, 'int32'),
    }),
    update: (updates, state, _params, extra) => {
      const { loss } = extra;
      if (loss === undefined) {
        throw new FrugalError('MISSING_LOSS', 'reduceOnPlateau needs extra.loss, the mean loss of the step, got none.');
      }
      return tidy(() => {
        const sum = tf.add(state.sum, loss);
        const next =
          (stepOf(extra) + 1) % window === 0
            ? judge(state, sum)
            : { ...(treeMap((leaf) => leaf.clone(), state) as PlateauState), sum };
        return [treeMap((u) => tf.mul(u as tf.Tensor, next.scale), updates), next];
      });
    },
  };
}
