import { type GradientTransformation, type Tree, treeClone, treeLeaves, treeZerosLike } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { type Mask, selected } from '../transforms/mask.ts';
import { adamNumbers, lerp } from '../transforms/moments.ts';
import { stepOf, tidy, zipLeaves } from '../transforms/support.ts';

/** State of `prodigy`. */
export type ProdigyState = {
  m: Tree;
  v: Tree;
  /** Weighted sum of the gradients. */
  sum: Tree;
  /** The initial parameters. */
  origin: Tree;
  /** The estimate of the distance to the solution. */
  distance: tf.Tensor;
  /** Numerator of the estimate. */
  numerator: tf.Tensor;
};

/** Options of `prodigy`. */
export interface ProdigyOptions {
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Decay of the estimate's sums. Default √beta2. */
  beta3?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** The first estimate; too small is safe. Default 1e-6. */
  distance0?: number;
  /** What the estimate is multiplied by. Default 1. */
  coefficient?: number;
  /** Decoupled weight decay. Default 0. */
  weightDecay?: number;
  /** The parameters that are decayed. Default: all. */
  mask?: Mask;
  /** Leaves the rate out of the estimate's sum, against trouble in a warm-up. Default false. */
  safeguardWarmup?: boolean;
}

/** Σ a·b over the leaves of two trees. */
function dot(a: Tree, b: Tree): tf.Tensor {
  const right = treeLeaves(b);
  const products = treeLeaves(a).map((leaf, i) => tf.sum(tf.mul(leaf, right[i]!)));
  return products.length === 0 ? tf.scalar(0) : tf.addN(products);
}

/**
 * Prodigy (arXiv 2306.06101): Adam that estimates its learning rate from the distance it has covered.
 *
 * d ← max(d, Σβ₃-weighted ⟨g, p₀ − p⟩ / ‖Σβ₃-weighted g‖₁), and the step is d·learningRate times Adam's.
 * The estimate stays on the device.
 *
 * @param learningRate - A factor on the estimate. Default 1; a schedule that decays from 1 to 0 is usual.
 */
export function prodigy(learningRate: Rate = 1, options: ProdigyOptions = {}): GradientTransformation<ProdigyState> {
  const rate = toSchedule('learningRate', learningRate);
  const { beta1, beta2, epsilon } = adamNumbers(options);
  const { distance0 = 1e-6, coefficient = 1, weightDecay = 0, mask, safeguardWarmup = false } = options;
  const beta3 = checkNumber('beta3', options.beta3 ?? Math.sqrt(beta2), { min: 0, max: 1 });
  checkNumber('distance0', distance0, { min: 0, max: Number.MAX_VALUE, exclusive: true });
  checkNumber('coefficient', coefficient, { min: 0 });
  checkNumber('weightDecay', weightDecay, { min: 0 });

  return {
    init: (params) => ({
      m: treeZerosLike(params),
      v: treeZerosLike(params),
      sum: treeZerosLike(params),
      origin: treeClone(params),
      distance: tf.scalar(distance0),
      numerator: tf.scalar(0),
    }),
    update: (grads, state, params, extra) =>
      tidy(() => {
        const t = stepOf(extra) + 1;
        const d = state.distance;
        const correct = Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t);
        const length = tf.mul(d, rate(t - 1) * correct);
        const weight = tf.div(tf.mul(d, safeguardWarmup ? d : length), distance0);

        const [m, v, sum, back] = zipLeaves(
          4,
          [grads, state.m, state.v, state.sum, state.origin, params],
          (g, oldM, oldV, oldSum, p0, p) => {
            const scaled = tf.mul(g!, d);
            return [
              lerp(oldM!, scaled, beta1),
              lerp(oldV!, tf.square(scaled), beta2),
              tf.add(tf.mul(oldSum!, beta3), tf.mul(g!, weight)),
              tf.sub(p0!, p!),
            ];
          },
        );
        const covered = tf.mul(tf.div(tf.mul(d, length), distance0), dot(grads as Tree, back));
        const numerator = tf.add(tf.mul(state.numerator, beta3), covered);
        const sums = treeLeaves(sum).map((leaf) => tf.sum(tf.abs(leaf)));
        const denominator = sums.length === 0 ? tf.scalar(1) : tf.addN(sums);
        // 0 / 0 before anything has moved is no estimate.
        const estimate = tf.where(tf.greater(denominator, 0), tf.div(tf.mul(numerator, coefficient), denominator), d);
        const distance = tf.maximum(d, estimate);

        const decays = selected(mask, params).values();
        const [updates] = zipLeaves(1, [params, m, v], (p, nextM, nextV) => {
          const direction = tf.div(nextM!, tf.add(tf.sqrt(nextV!), tf.mul(distance, epsilon)));
          const decayed = decays.next().value && weightDecay > 0;
          return [tf.mul(decayed ? tf.add(direction, tf.mul(p!, weightDecay)) : direction, tf.neg(length))];
        });
        const next = { m, v, sum, origin: treeClone(state.origin), distance, numerator };
        return [updates, next];
      }),
    hyperparams: (step) => ({ learningRate: rate(step) }),
  };
}
