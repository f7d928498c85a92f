import {
  FrugalError,
  type GradientTransformation,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMap,
  treeMaterialize,
  type UpdateExtra,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../errors.ts';

/** Options of `curvatureAware`. */
export interface CurvatureAwareOptions {
  /** σ: 1 is greedy, 2 the edge of stability. Default 2. */
  readonly sigma?: number;
  /** Steps between two looks at the curvature. Default 1. */
  readonly every?: number;
  /** How much of the averages of slope and curvature is kept at a look, in [0, 1). Default 0.9. */
  readonly smoothing?: number;
  /** The rate before the first look, and its width. Default 1e-3. */
  readonly initial?: number;
  /** How much the rate may grow from look to look. Default 2. */
  readonly growth?: number;
}

/** State of `curvatureAware`: numbers on the device, and the base's own. */
export type CurvatureAwareState<S extends Tree = Tree> = {
  readonly slope: tf.Tensor;
  readonly curvature: tf.Tensor;
  readonly rate: tf.Tensor;
  readonly base: S;
};

/**
 * A learning rate that follows the edge of stability, after CDAT (arXiv 2407.06183): η = σ · n / d with n = −gᵀu, d = |uᵀHu|, u the
 * update of `base` at rate 1, both averaged; η_c of a parabola is the rate at σ = 2.
 *
 * uᵀHu comes from the loss a rate before and behind: two forward passes a look, no reads, so any backend runs on. **Do not be
 * greedy**: with σ = 1, the best single step, sharpness is never pushed back, and in the long run a constant rate wins. On small
 * batches the advantage shrinks, too.
 *
 * @param base An optimizer at rate 1, e.g. `sgd(1)`; its updates must be linear in the rate.
 * @throws {FrugalError} `NO_EVALUATE` in a loop that offers no way to evaluate the loss elsewhere.
 */
export function curvatureAware<S extends Tree>(
  base: GradientTransformation<S>,
  options: CurvatureAwareOptions = {},
): GradientTransformation<CurvatureAwareState<S>> {
  const { sigma = 2, every = 1, smoothing = 0.9, initial = 1e-3, growth = 2 } = options;
  checkNumber('sigma', sigma, { positive: true });
  checkNumber('every', every, { min: 1, integer: true });
  checkNumber('smoothing', smoothing, { min: 0, max: 0.9999 });
  checkNumber('initial', initial, { positive: true });
  checkNumber('growth', growth, { min: 1 });

  /** New averages and the rate that follows from them. */
  function look(grads: Tree, update: Tree, state: CurvatureAwareState<S>, params: Tree, extra: UpdateExtra) {
    const { evaluate, loss, step } = extra;
    if (evaluate === undefined || loss === undefined) {
      throw new FrugalError(
        'NO_EVALUATE',
        'curvatureAware needs the loss and a way to evaluate it elsewhere (extra.loss, extra.evaluate). Use the loop of core-trainer.',
      );
    }
    return tf.tidy(() => {
      const at = (sign: number): tf.Tensor =>
        evaluate(treeMap((p, u) => tf.add(p, tf.mul(u!, tf.mul(state.rate, sign))), params, update));
      const bend = tf.div(tf.sub(tf.add(at(1), at(-1)), tf.mul(loss, 2)), tf.square(state.rate));
      const products = treeMap((g, u) => tf.sum(tf.mul(g, u!)), grads, update);
      const n = tf.maximum(tf.neg(tf.addN(treeLeaves(products))), 0);
      const kept = step === 0 ? 0 : smoothing;
      const blend = (old: tf.Tensor, now: tf.Tensor): tf.Tensor => tf.add(tf.mul(old, kept), tf.mul(now, 1 - kept));
      const slope = blend(state.slope, n);
      const curvature = blend(state.curvature, tf.abs(bend));
      const wanted = tf.divNoNan(tf.mul(slope, sigma), curvature);
      const most = tf.mul(state.rate, growth);
      // Infinite or NaN where the look left the numbers: then the rate is halved.
      const rate = tf.where(tf.isFinite(wanted), tf.minimum(wanted, most), tf.div(state.rate, 2));
      const fine = tf.isFinite(bend);
      return {
        slope: tf.where(fine, slope, state.slope),
        curvature: tf.where(fine, curvature, state.curvature),
        rate: tf.where(fine, tf.maximum(rate, tf.div(state.rate, 10)), tf.div(state.rate, 2)),
      };
    });
  }

  return {
    init: (params) => ({
      slope: tf.scalar(0),
      curvature: tf.scalar(0),
      rate: tf.scalar(initial),
      base: base.init(params),
    }),
    update(raw, state, params, extra) {
      const grads = treeMaterialize(raw);
      const [structured, next] = base.update(grads, state.base, params, extra);
      const update = treeMaterialize(structured);
      treeDispose(structured);
      try {
        const { slope, curvature, rate } =
          extra.step % every === 0
            ? look(grads, update, state, params, extra)
            : { slope: state.slope.clone(), curvature: state.curvature.clone(), rate: state.rate.clone() };
        return [treeMap((u) => tf.mul(u, rate), update), { slope, curvature, rate, base: next }];
      } catch (error) {
        treeDispose(next);
        throw error;
      } finally {
        treeDispose([grads, update]);
      }
    },
  };
}
