import { type GradientTransformation, type Tree, treeLeaves, treeMap, type UpdateTree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type NoState, stateless, tidy } from './support.ts';

const checkBound = (name: string, value: number): number =>
  checkNumber(name, value, { min: 0, max: Number.MAX_VALUE, exclusive: true });

/** √Σ x² over all leaves of a tree; a scalar that the caller owns. */
export function globalNorm(tree: Tree): tf.Scalar {
  return tf.tidy(() => {
    const squares = treeLeaves(tree).map((leaf) => tf.sum(tf.square(leaf)));
    return tf.sqrt(squares.length === 0 ? tf.scalar(0) : tf.addN(squares)) as tf.Scalar;
  });
}

const map = (updates: UpdateTree, f: (u: tf.Tensor) => tf.Tensor): Tree =>
  tidy(() => treeMap((u) => f(u as tf.Tensor), updates)) as Tree;

/** Clips every element to [−limit, limit]. */
export function clipByValue(limit: number): GradientTransformation<NoState> {
  checkBound('limit', limit);
  return stateless((updates) => map(updates, (u) => tf.clipByValue(u, -limit, limit)));
}

/**
 * Scales the whole gradient down where its norm is larger than `limit`: g · min(1, limit / ‖g‖) (arXiv 1211.5063).
 *
 * The norm stays on the device. A gradient that is not finite stays so: the guard of the loop is there for it.
 */
export function clipByGlobalNorm(limit: number): GradientTransformation<NoState> {
  checkBound('limit', limit);
  return stateless((updates) =>
    tidy(() => {
      const factor = tf.div(limit, tf.maximum(globalNorm(updates as Tree), limit));
      return treeMap((u) => tf.mul(u as tf.Tensor, factor), updates) as Tree;
    }),
  );
}

/** Scales each tensor down where its root mean square is larger than `limit` (arXiv 1804.04235, update clipping). */
export function clipByBlockRms(limit: number): GradientTransformation<NoState> {
  checkBound('limit', limit);
  return stateless((updates) => map(updates, (u) => tf.div(u, tf.maximum(tf.div(rms(u), limit), 1))));
}

/** The root mean square of a tensor. */
export function rms(x: tf.Tensor): tf.Scalar {
  return tf.sqrt(tf.mean(tf.square(x))) as tf.Scalar;
}

/** Norms over the inputs of each unit: all axes but the last; over everything where there are no units. */
function unitNorm(x: tf.Tensor): tf.Tensor {
  const axes = x.rank < 2 ? undefined : Array.from({ length: x.rank - 1 }, (_, i) => i);
  return tf.sqrt(tf.sum(tf.square(x), axes, true));
}

/** Options of `clipAdaptively`. */
export interface AdaptiveClipOptions {
  /** The least parameter norm that is reckoned with, so that zeros can start to move. Default 1e-3. */
  epsilon?: number;
}

/**
 * Adaptive gradient clipping (arXiv 2102.06171): the gradient of a unit is at most `ratio` times as long as its weights.
 *
 * A unit is a slice along the last axis (an output of a dense or convolution kernel); a vector is one unit.
 */
export function clipAdaptively(ratio: number, options: AdaptiveClipOptions = {}): GradientTransformation<NoState> {
  const { epsilon = 1e-3 } = options;
  checkBound('ratio', ratio);
  checkBound('epsilon', epsilon);
  return stateless((updates, params) =>
    tidy(
      () =>
        treeMap(
          (u, p) => {
            const most = tf.mul(tf.maximum(unitNorm(p!), epsilon), ratio);
            const norm = unitNorm(u as tf.Tensor);
            return tf.mul(u as tf.Tensor, tf.minimum(tf.div(most, tf.maximum(norm, 1e-6)), 1));
          },
          updates,
          params,
        ) as Tree,
    ),
  );
}
