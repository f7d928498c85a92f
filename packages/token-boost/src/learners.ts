import { foldIn, gatherRows, gelu, type Key, randomNormal, scatterAddRows, segmentMatMul } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { affine } from './affine.ts';
import { checkNumber } from './check.ts';
import { type BoostPlan, isFull } from './plan.ts';

/** Stacked learners: `w1` [learners, dim, hidden], `b1` [learners, hidden], `w2` [learners, hidden, out]. */
export type LearnersParams = { readonly w1: tf.Tensor3D; readonly b1: tf.Tensor2D; readonly w2: tf.Tensor3D };

/** Sizes of the learners of one layer. */
export interface LearnersShape {
  readonly learners: number;
  readonly dim: number;
  /** Width of one learner. */
  readonly hidden: number;
  readonly out: number;
  readonly activation: 'relu' | 'gelu';
}

/** Learners without output biases, as their outputs add up. */
export interface Learners extends LearnersShape {
  init(key: Key): LearnersParams;
  /** The bias and as many learners as each token gets, [tokens, dim] → [tokens, out]; the others are not computed. */
  planned(params: LearnersParams, bias: tf.Tensor1D, x: tf.Tensor, plan: BoostPlan): tf.Tensor;
  /** Σⱼ share[t, j] · learnerⱼ(x[t]) with everything computed; differentiable in the shares [tokens, learners] too. */
  shared(params: LearnersParams, x: tf.Tensor, shares: tf.Tensor): tf.Tensor;
  /** The sum of the first k learners for every k from 1, [tokens, out] each. */
  partialSums(params: LearnersParams, x: tf.Tensor): tf.Tensor[];
  /** FLOPs of one learner for one token, with adding it, as the meter counts them. */
  readonly flops: number;
  /** FLOPs that each token spends on its learners under a plan; all of them together need no additions. */
  spent(plan: BoostPlan): Float64Array;
}

const activationFlops = { relu: 1, gelu: 9 } as const;

/** @throws {FrugalError} `INVALID_ARGUMENT`. */
export function stackedLearners(shape: LearnersShape): Learners {
  const { learners, dim, hidden, out, activation } = shape;
  for (const [name, value] of Object.entries({ learners, dim, hidden, out })) {
    checkNumber(name, value, { min: 1, max: name === 'learners' ? 255 : Number.MAX_SAFE_INTEGER, whole: true });
  }
  /** [learners, dim, hidden] → [dim, learners · hidden]. */
  const side = (w1: tf.Tensor3D): tf.Tensor2D =>
    tf.reshape(tf.transpose(w1, [1, 0, 2]), [dim, learners * hidden]) as tf.Tensor2D;
  /** All hidden units of all learners, [tokens, learners · hidden]. */
  const all = ({ w1, b1 }: LearnersParams, x: tf.Tensor): tf.Tensor2D => {
    const bias = tf.reshape(b1, [learners * hidden]) as tf.Tensor1D;
    if (activation === 'relu') return affine(x, side(w1), bias, 'relu');
    return gelu(affine(x, side(w1), bias)) as tf.Tensor2D;
  };
  const below = (w2: tf.Tensor3D): tf.Tensor2D => tf.reshape(w2, [learners * hidden, out]);
  const product = hidden * (2 * dim + 1 + activationFlops[activation]) + out * 2 * hidden;
  const flops = product + out;
  return {
    ...shape,
    flops,
    spent: (plan) => Float64Array.from(plan.counts, (k) => k * (isFull(plan) ? product : flops)),
    init: (key) =>
      tf.tidy(() => ({
        w1: tf.mul(randomNormal(foldIn(key, 0), [learners, dim, hidden]), Math.sqrt(2 / dim)) as tf.Tensor3D,
        b1: tf.zeros([learners, hidden]) as tf.Tensor2D,
        w2: tf.mul(randomNormal(foldIn(key, 1), [learners, hidden, out]), Math.sqrt(1 / (learners * hidden))),
      })) as LearnersParams,
    planned: (params, bias, x, plan) =>
      tf.tidy(() => {
        if (isFull(plan)) return affine(all(params, x), below(params.w2), bias);
        const { rows, ends } = plan;
        const hidden = segmentMatMul({ x: gatherRows(x, rows), w: params.w1, bias: params.b1 }, { ends, activation });
        const outputs = segmentMatMul({ x: hidden, w: params.w2 }, { ends });
        return tf.add(scatterAddRows({ into: tf.fill([plan.tokens, out], 0), x: outputs }, { rows }), bias);
      }),
    shared: (params, x, shares) =>
      tf.tidy(() => {
        const tokens = x.shape[0]!;
        const units = tf.reshape(all(params, x), [tokens, learners, hidden]);
        const kept = tf.mul(units, tf.reshape(shares, [tokens, learners, 1]));
        return tf.matMul(tf.reshape(kept, [tokens, learners * hidden]) as tf.Tensor2D, below(params.w2));
      }),
    partialSums: (params, x) =>
      tf.tidy(() => {
        const units = tf.split(all(params, x), learners, 1);
        const second = tf.unstack(params.w2);
        const sums: tf.Tensor[] = [];
        for (const [j, h] of units.entries()) {
          const own = tf.matMul(h, second[j] as tf.Tensor2D);
          sums.push(j === 0 ? own : tf.add(sums[j - 1]!, own));
        }
        return sums;
      }),
  };
}
